//! The browser's side: WebAssembly, style sheet, static files, all under names made of their content.

use crate::{
    command::{exec, exec_muted, timed},
    shared::{cargo, root, target},
    split::{self, Parts},
    tools::{Toolchain, WASM, npm},
};
use anyhow::{Result, anyhow, bail};
use lightningcss::{
    bundler::{Bundler, FileProvider},
    printer::PrinterOptions,
    stylesheet::{MinifyOptions, ParserOptions},
    targets::{Browsers, Targets},
};
use sha2::{Digest, Sha256};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

/// What a first visit may load at most: wasm, js and css together, brotli, in bytes.
const BUDGET: usize = 250 * 1024;

/// What `wasm-opt` does. Control flow that is made anew comes out smaller, and functions in the order of their names, so that
/// those made of one generic stand side by side, compress better: 5 KiB of 234 together.
const PASSES: [&str; 6] = ["--flatten", "--rereloop", "-O1", "-Oz", "--reorder-functions-by-name", "--strip-debug"];

/// Builds the site into `out/site` and writes `out/hash.txt`. `small`: optimised, compressed and held to the budget.
pub fn build(toolchain: Toolchain, small: bool, out: &Path) -> Result<()> {
    let raw = compile(toolchain, small)?;
    let bound = bindgen(&raw, small)?;
    let css = css(&root().join("style/main.css"))?;
    let site = out.join("site");
    let pkg = site.join("pkg");
    if site.exists() {
        fs::remove_dir_all(&site)?;
    }
    fs::create_dir_all(&pkg)?;
    copy(&root().join("public"), &site)?;
    copy(&bound.join("snippets"), &pkg.join("snippets"))?;
    let (script, module) = (fs::read_to_string(bound.join("index.js"))?, fs::read(bound.join("index_bg.wasm"))?);
    let parts = Parts::of(&bound)?;
    let mut all = [script.as_bytes(), &module, parts.loader()?.as_bytes()].concat();
    for module in parts.modules() {
        all.extend(fs::read(module)?);
    }
    let (id, style) = (short_hash(&all), short_hash(css.as_bytes()));
    fs::write(pkg.join(format!("tern.{id}.js")), parts.name(&script, &id, &pkg)?)?;
    fs::write(pkg.join(format!("tern.{id}.wasm")), module)?;
    fs::write(pkg.join(format!("tern.{style}.css")), css)?;
    let hashes = format!("js: {id}\nwasm: {id}\nsplit: {id}\nmanifest: {id}\ncss: {style}\n");
    fs::write(out.join("hash.txt"), hashes)?;
    if small {
        timed("minify", || minify(&pkg))?;
        timed("compress", || compress(&site))?;
        check_size(&pkg, &parts, &id, &style)?;
    }
    Ok(())
}

fn short_hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(8).map(|b| format!("{b:02x}")).collect()
}

/// Compiles the library for the browser and returns the raw module.
fn compile(toolchain: Toolchain, small: bool) -> Result<Vec<u8>> {
    let profile = if small { "wasm-release" } else { "wasm-dev" };
    // A target folder of its own: the server's build does not wait for this one's lock.
    let folder = target().join("front");
    let mut cargo = cargo();
    // The crate type is given here: a cdylib in Cargo.toml would be linked in every server build as well.
    cargo
        .args([
            "rustc",
            "--package",
            "tern",
            "--lib",
            "--crate-type",
            "cdylib",
            "--no-default-features",
            "--features",
            "hydrate",
        ])
        .args(["--target", WASM, "--profile", profile])
        .env("CARGO_TARGET_DIR", &folder);
    toolchain.apply(&mut cargo);
    // The relocations, by which the module is split.
    cargo.args(["--", "-Clink-args=--emit-relocs"]);
    timed("wasm", || exec("the browser's build", &mut cargo))?;
    Ok(fs::read(folder.join(WASM).join(profile).join("tern.wasm"))?)
}

/// Makes the JavaScript bindings, once per content of the raw module and way of optimising it: another checkout may have
/// built in between, so times say nothing.
fn bindgen(raw: &[u8], small: bool) -> Result<PathBuf> {
    let way = if small { short_hash(PASSES.join(" ").as_bytes()) } else { "dev".to_owned() };
    let folder = target().join("front/bindgen").join(format!("{}-{way}", short_hash(raw)));
    if folder.join("done").exists() {
        return Ok(folder);
    }
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let input = timed("wasm-split", || split::split(raw, &folder))?;
    let mut bindgen = wasm_bindgen_cli_support::Bindgen::new();
    bindgen.input_path(&input).out_name("index").web(true)?.typescript(false).omit_default_module_path(true);
    // The parts reach into the main module through its table and memory.
    bindgen.keep_lld_exports(true);
    bindgen.remove_producers_section(small);
    timed("wasm-bindgen", || bindgen.generate(&folder).map_err(|error| anyhow!("wasm-bindgen: {error:#}")))?;
    fs::remove_file(&input)?;
    if small {
        // Not --all-features: that emits compact imports, which Chromium refuses.
        let features =
            ["bulk-memory", "nontrapping-float-to-int", "sign-ext", "mutable-globals", "reference-types", "multivalue"];
        let wasm_opt = npm()?.join("node_modules/.bin/wasm-opt");
        timed("wasm-opt", || {
            for file in [vec![folder.join("index_bg.wasm")], Parts::of(&folder)?.modules()].concat() {
                let mut optimise = Command::new(&wasm_opt);
                optimise.args(features.map(|f| format!("--enable-{f}"))).args(PASSES).arg(&file).arg("-o").arg(&file);
                // It warns of every name of a label that it does not know.
                exec_muted("wasm-opt", &mut optimise)?;
            }
            Ok(())
        })?;
    }
    fs::write(folder.join("done"), "")?;
    Ok(folder)
}

/// Scripts without what only people read: 2.5 KiB less after compression.
fn minify(pkg: &Path) -> Result<()> {
    let esbuild = npm()?.join("node_modules/.bin/esbuild");
    let scripts: Vec<PathBuf> =
        files(pkg)?.into_iter().filter(|file| file.extension().is_some_and(|e| e == "js")).collect();
    let mut command = Command::new(&esbuild);
    command.args(["--minify", "--format=esm", "--target=es2022", "--allow-overwrite", "--log-level=warning"]);
    command.arg(format!("--outbase={}", pkg.display())).arg(format!("--outdir={}", pkg.display())).args(scripts);
    exec_muted("esbuild", &mut command)
}

fn css(main: &Path) -> Result<String> {
    let version = |major: u32, minor: u32| Some(major << 16 | minor << 8);
    let browsers =
        Browsers { chrome: version(123, 0), firefox: version(121, 0), safari: version(17, 5), ..Browsers::default() };
    let targets: Targets = browsers.into();
    let files = FileProvider::new();
    let mut bundler = Bundler::new(&files, None, ParserOptions::default());
    let mut sheet = bundler.bundle(main).map_err(|error| anyhow!("style: {error}"))?;
    sheet.minify(MinifyOptions { targets, ..MinifyOptions::default() }).map_err(|error| anyhow!("style: {error}"))?;
    Ok(sheet.to_css(PrinterOptions { minify: true, targets, ..PrinterOptions::default() })?.code)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop().filter(|folder| folder.is_dir()) {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    Ok(found)
}

/// Copies a folder's files; a folder that is not there has none.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    for file in files(from)? {
        let target = to.join(file.strip_prefix(from)?);
        fs::create_dir_all(target.parent().unwrap_or(to))?;
        fs::copy(&file, target)?;
    }
    Ok(())
}

/// Writes a `.br` beside each file. Node has Google's own encoder, whose result is 1.7 KiB smaller for the main module than that of
/// the port to Rust. Which size of blocks and which codes for distances fit a module best changes with each build, by 2 KiB: the
/// smallest of some is taken.
const BROTLI: &str = "
const { readFileSync, writeFileSync } = require('node:fs');
const { brotliCompressSync, constants: c } = require('node:zlib');
for (const file of process.argv.slice(1)) {
  const text = readFileSync(file);
  const all = [[20, 1, 30], [20, 2, 60], [22, 2, 40], [21, 2, 48], [20, 1, 20], [20, 0, 15]].map(([block, postfix, direct]) => {
    const params = { [c.BROTLI_PARAM_QUALITY]: 11, [c.BROTLI_PARAM_LGWIN]: 22, [c.BROTLI_PARAM_LGBLOCK]: block, [c.BROTLI_PARAM_NPOSTFIX]: postfix, [c.BROTLI_PARAM_NDIRECT]: direct };
    return brotliCompressSync(text, { params });
  });
  writeFileSync(`${file}.br`, all.reduce((least, one) => (one.length < least.length ? one : least)));
}";

/// Writes `.br` and `.gz` beside every file of text.
fn compress(folder: &Path) -> Result<()> {
    let is_text = |file: &PathBuf| {
        let extension = file.extension().and_then(|e| e.to_str()).unwrap_or_default();
        ["js", "wasm", "css", "svg", "txt", "json"].contains(&extension)
    };
    let texts: Vec<PathBuf> = files(folder)?.into_iter().filter(is_text).collect();
    exec("brotli", Command::new("node").args(["-e", BROTLI]).args(&texts))?;
    for file in texts {
        let mut name = file.clone().into_os_string();
        name.push(".gz");
        let mut gz = flate2::write::GzEncoder::new(fs::File::create(name)?, flate2::Compression::best());
        gz.write_all(&fs::read(&file)?)?;
        gz.finish()?;
    }
    Ok(())
}

/// Prints what a first visit to the accounts loads, and fails above the budget. Parts are counted when they have any.
fn check_size(pkg: &Path, parts: &Parts, id: &str, style: &str) -> Result<()> {
    let page = parts.of_page("accounts").iter().map(|name| format!("{name}.{id}.wasm"));
    let names = [
        format!("tern.{id}.js"),
        format!("__wasm_split.{id}.js"),
        format!("tern.{style}.css"),
        format!("tern.{id}.wasm"),
    ];
    let mut sum = 0;
    let mut shown = Vec::new();
    for name in names.into_iter().chain(page) {
        let size = usize::try_from(fs::metadata(pkg.join(format!("{name}.br")))?.len())?;
        sum += size;
        shown.push(format!("{} {:.1}", name.replace(id, "*").replace(style, "*"), kib(size)));
    }
    eprintln!("xtask: first load {:.1} KiB brotli, budget {:.0} ({})", kib(sum), kib(BUDGET), shown.join(", "));
    if sum > BUDGET {
        bail!("the first load is above its budget");
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn kib(bytes: usize) -> f64 {
    bytes as f64 / 1024.0
}
