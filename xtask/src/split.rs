//! The browser's module in parts: what every page needs, and one part per lazy page, loaded when it is visited.
//!
//! `leptos` marks the seams (`#[lazy_route]`), `wasm_split_cli_support` cuts there, before wasm-bindgen sees the module.
//! The parts and the script that loads them name each other, so all of them carry one name: the hash of them all.

use anyhow::{Result, anyhow};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// The name under which the compiler's output imports the loader; `leptos_macro` writes it so.
const LOADER: &str = "./__wasm_split.______________________.js";
/// Stands for the main script in the loader until that has its name.
const MAIN: &str = "./__main.js";

/// The parts in a folder, not yet named by content.
pub struct Parts {
    folder: PathBuf,
    /// Which parts a lazy page needs.
    manifest: BTreeMap<String, Vec<String>>,
}

/// Cuts `raw` and writes the parts into `folder`; the main one is `main.wasm`, for wasm-bindgen.
pub fn split(raw: &[u8], folder: &Path) -> Result<PathBuf> {
    let main = folder.join("main.wasm");
    let mut options = wasm_split_cli_support::Options::new(raw);
    options.output_dir = folder;
    options.main_out_path = &main;
    options.link_name = LOADER;
    options.main_module = MAIN;
    let done = wasm_split_cli_support::transform(options).map_err(|error| anyhow!("wasm-split: {error:#}"))?;
    let manifest: BTreeMap<_, _> = done.prefetch_map.into_iter().collect();
    fs::write(folder.join("manifest.json"), serde_json::to_string(&manifest)?)?;
    Ok(main)
}

impl Parts {
    /// Those that [`split`] left in `folder`.
    pub fn of(folder: &Path) -> Result<Self> {
        let manifest = serde_json::from_str(&fs::read_to_string(folder.join("manifest.json"))?)?;
        Ok(Self { folder: folder.to_owned(), manifest })
    }

    /// The modules of the lazy pages.
    pub fn modules(&self) -> Vec<PathBuf> {
        let mut names: Vec<&String> = self.manifest.values().flatten().collect();
        names.sort();
        names.dedup();
        names.into_iter().map(|name| self.folder.join(format!("{name}.wasm"))).collect()
    }

    /// The loader, as it was cut.
    pub fn loader(&self) -> Result<String> {
        Ok(fs::read_to_string(self.folder.join(LOADER))?)
    }

    /// Writes loader, modules and manifest into `pkg`, named by `id`; returns the main script that loads them.
    pub fn name(&self, script: &str, id: &str, pkg: &Path) -> Result<String> {
        let mut loader = self.loader()?.replace(MAIN, &format!("./tern.{id}.js"));
        for module in self.modules() {
            let name = module.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            loader = loader.replace(&format!("\"./{name}.wasm\""), &format!("\"./{name}.{id}.wasm\""));
            fs::copy(&module, pkg.join(format!("{name}.{id}.wasm")))?;
        }
        fs::write(pkg.join(format!("__wasm_split.{id}.js")), loader)?;
        let named = |names: &Vec<String>| names.iter().map(|name| format!("{name}.{id}")).collect::<Vec<_>>();
        let manifest: BTreeMap<_, _> = self.manifest.iter().map(|(page, names)| (page, named(names))).collect();
        fs::write(pkg.join(format!("__wasm_split_manifest.{id}.json")), serde_json::to_string(&manifest)?)?;
        // Only where it is loaded from: inside the module the import keeps its name.
        Ok(script.replace(&format!("from \"{LOADER}\""), &format!("from \"./__wasm_split.{id}.js\"")))
    }

    /// The modules that a page loads beside the main one, found by a part of its name; none when it is not lazy.
    pub fn of_page(&self, page: &str) -> &[String] {
        let found = self.manifest.iter().find(|(name, _)| name.to_lowercase().contains(page));
        found.map_or(&[], |(_, names)| names.as_slice())
    }
}
