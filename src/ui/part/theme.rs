//! The theme switch.

use super::{
    icon::{Draw, Icon},
    post::{Post, PostForm},
};
use crate::api::session::SetTheme;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

/// Three buttons: as the system, light, dark. The choice shows at once; the server keeps it for the next first paint.
#[component]
pub fn ThemeSwitch() -> impl IntoView {
    let save = Post::to::<SetTheme>(|()| {}).or_toast();
    let flip = |event: web_sys::SubmitEvent| {
        let button = event.submitter().and_then(|button| button.dyn_into::<web_sys::HtmlButtonElement>().ok());
        if let (Some(button), Some(root)) = (button, document().document_element()) {
            let _ = root.set_attribute("data-theme", &button.value());
        }
    };
    let button = |value: &'static str, label: &'static str, icon: Icon| {
        view! {
            <button name="theme" value=value aria-label=label title=label>
                <Draw icon />
            </button>
        }
    };
    view! {
        <PostForm to=save on:submit:capture=flip>
            <div class="theme" role="group" aria-label="Theme">
                {button("system", "As the system", Icon::Screen)}
                {button("light", "Light", Icon::Sun)}
                {button("dark", "Dark", Icon::Moon)}
            </div>
        </PostForm>
    }
}
