//! Line drawings, inline, in the colour of the text.

use crate::domain::channel::Channel;
use leptos::prelude::*;

/// The drawings there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Icon {
    /// The bird of the name.
    Tern,
    /// A speech bubble.
    Whatsapp,
    /// A telephone.
    Phone,
    /// An envelope.
    Email,
    /// Two speech bubbles.
    Messages,
    /// Two people.
    People,
    /// A sheet with lines.
    Sheet,
    /// Steps that go up, with an arrow.
    Steps,
    /// A loudhailer.
    Horn,
    /// Three bars.
    Bars,
    /// Sliders.
    Settings,
    /// A plus.
    Plus,
    /// A pencil.
    Pencil,
    /// A bin.
    Bin,
    /// A cross.
    Cross,
    /// A tick.
    Tick,
    /// A triangle with an exclamation mark.
    Warning,
    /// A sun.
    Sun,
    /// A moon.
    Moon,
    /// A screen.
    Screen,
    /// A door with an arrow.
    Leave,
    /// A lens.
    Search,
    /// A crossed circle.
    Stop,
}

impl Icon {
    /// The drawing of a channel.
    pub fn of(channel: Channel) -> Self {
        match channel {
            Channel::Whatsapp => Self::Whatsapp,
            Channel::Sms => Self::Phone,
            Channel::Email => Self::Email,
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Tern => {
                "M2 8.3c4.600-.9 7.400.9 10.200 4.600 1.800-5.500 5.500-8.300 10.200-8.300-2.800 2.800-3.700 5.500-4.600 8.300-.9 3.700-3.700 6.500-8.300 6.500-.9 0-2.800 0-3.700-.9 2.800 0 4.600-.9 5.500-2.800C7.500 15.700 4.800 12 2 8.300Z"
            }
            Self::Whatsapp => "M21 12a9 9 0 0 1-13 8l-5 1 1-5a9 9 0 1 1 17-4Z",
            Self::Phone => "M9 3h6a2 2 0 0 1 2 2v14a2 2 0 0 1-2 2H9a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2ZM11 18h2",
            Self::Email => "M5 5h14a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V7a2 2 0 0 1 2-2ZM3 7l9 6 9-6",
            Self::Messages => {
                "M4 4h11a2 2 0 0 1 2 2v6a2 2 0 0 1-2 2H8l-5 4V6a2 2 0 0 1 1-2ZM20 9a2 2 0 0 1 1 2v10l-4-3h-6"
            }
            Self::People => {
                "M9 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM2 20c0-4 3-6 7-6s7 2 7 6M16 4a4 4 0 0 1 0 8M18 14c3 .6 4 3 4 6"
            }
            Self::Sheet => "M6 3h12v18H6ZM9 8h6M9 12h6M9 16h3",
            Self::Steps => "M3 20h5v-5h5v-5h5V5M15 8l3-3 3 3",
            Self::Horn => "M4 10v4h3l9 5V5l-9 5ZM20 10v4",
            Self::Bars => "M5 20v-8M12 20V4M19 20v-5",
            Self::Settings => "M4 7h9M17 7h3M4 17h3M11 17h9M15 5v4M9 15v4",
            Self::Plus => "M12 5v14M5 12h14",
            Self::Pencil => "m4 20 1-5L16 4l4 4L9 19l-5 1ZM14 6l4 4",
            Self::Bin => "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5",
            Self::Cross => "M6 6l12 12M18 6 6 18",
            Self::Tick => "m5 13 4 4L19 7",
            Self::Warning => "M12 4 2.500 20h19L12 4ZM12 10v4M12 17v.5",
            Self::Sun => {
                "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.400 1.400M17.600 17.600 19 19M5 19l1.400-1.400M17.600 6.400 19 5"
            }
            Self::Moon => "M20 14A8.500 8.500 0 0 1 10 4a8.500 8.500 0 1 0 10 10Z",
            Self::Screen => "M4 4h16a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1ZM8 20h8M12 16v4",
            Self::Leave => "M10 4H5v16h5M15 8l4 4-4 4M19 12H9",
            Self::Stop => "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18ZM6 6l12 12",
            Self::Search => "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14ZM16 16l5 5",
        }
    }
}

/// Draws an icon; it says nothing to a screen reader, so its neighbour must.
#[component]
pub fn Draw(icon: Icon) -> impl IntoView {
    view! {
        <svg
            class="icon"
            viewBox="0 0 24 24"
            fill="none"
            stroke="currentColor"
            stroke-width="2"
            stroke-linecap="round"
            stroke-linejoin="round"
            aria-hidden="true"
        >
            <path d=icon.path() />
        </svg>
    }
}
