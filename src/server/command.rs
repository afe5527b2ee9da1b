//! The subcommands of the binary; wiring only.

use super::{
    App,
    clock::SystemClock,
    config::{Cli, Command, KeysCommand, Role, Settings, UserCommand},
    error::Error,
    http, oracle,
    send::{self, SendArgs},
    simulate,
    store::{self, Db},
    usecase::{consent, doctor, keys, platform, rehearsal, session},
    vault::Vault,
    worker::{Worker, skew},
};
use crate::domain::secret::Secret;
use anyhow::{Context, anyhow, bail};
use clap::Parser;
use leptos::config::{LeptosOptions, get_configuration};
use std::{
    fs::{self, File},
    io::{BufRead, IsTerminal, Write},
    net::SocketAddr,
    os::unix::fs::DirBuilderExt,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A call of a provider ends after so long at most; a lease of the worker outlives it.
const CALL: Duration = Duration::from_secs(30);
/// A provider is connected within so long.
const CONNECT: Duration = Duration::from_secs(10);
/// Requests under way at a stop get so long.
const DRAIN: Duration = Duration::from_secs(20);

/// Runs the subcommand; a failure is one clear line.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_target(false).with_writer(std::io::stderr).init();
    // One TLS library for all clients.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&anyhow!("cannot start: {error}")),
    };
    match runtime.block_on(run(cli.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "tern: {error:#}");
    ExitCode::FAILURE
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve { role, settings } => serve(settings, role).await,
        Command::Send(args) => send(&args).await,
        Command::Simulate(args) => {
            let stop = CancellationToken::new();
            tokio::spawn(stop_on_signal(stop.clone()));
            simulate::run(args, stop).await.map_err(|error| anyhow!(error))
        }
        Command::Oracle(args) => {
            let verdict = oracle::run(&args).await.map_err(|error| anyhow!(error))?;
            say(verdict.to_string().trim_end())?;
            if verdict.is_good() { Ok(()) } else { bail!("the oracle found what must not be") }
        }
        Command::Migrate(settings) => open(&settings).await.map(drop),
        Command::Doctor(settings) => doctor(settings).await,
        Command::User(UserCommand::Add { email, organization, settings }) => {
            add_user(settings, &email, &organization).await
        }
        Command::Keys(KeysCommand::Rotate(settings)) => {
            let app = app(settings, Role::Web).await?;
            let done = keys::rotate(&app).await.map_err(shown)?;
            say(&format!(
                "{} sealed anew, {} current already, {} unreadable",
                done.resealed, done.current, done.unreadable
            ))?;
            if done.unreadable > 0 {
                bail!("some credentials open with none of the configured keys")
            }
            Ok(())
        }
        Command::Keys(KeysCommand::Renew(settings)) => renew(settings).await,
        Command::VerifyConsent { organization, expect, settings } => {
            verify_consent(settings, organization.as_deref(), expect.as_deref()).await
        }
        Command::Healthcheck(settings) => healthcheck(&settings).await,
    }
}

async fn renew(settings: Settings) -> anyhow::Result<()> {
    let app = app(settings, Role::Web).await?;
    if app.is_key_wrong() {
        bail!(
            "the configured key does not fit what is stored; start with the key of before, or enter all credentials again first"
        )
    }
    let lost = consent::list_lost(&app).await.map_err(shown)?;
    if lost.is_empty() {
        return say("every record of consent opens; nothing was changed");
    }
    for organization in lost {
        let forgotten = consent::renew(&app, &organization).await.map_err(shown)?;
        say(&format!("{organization}: a new record was begun; {forgotten} who are forgotten can be written to again"))?;
    }
    Ok(())
}

/// Reads the records of consent of all organizations, or of one.
async fn verify_consent(settings: Settings, only: Option<&str>, expect: Option<&str>) -> anyhow::Result<()> {
    let expected = match expect {
        None => None,
        Some(text) => {
            let (number, digest) =
                text.split_once(':').context("--expect needs NUMBER:DIGEST, as it was told before")?;
            Some((number.parse::<i64>().context("--expect begins with a number")?, digest))
        }
    };
    let app = app(settings, Role::Web).await?;
    let all = store::user::list_organizations(&mut *app.db.read().await?).await?;
    let (mut is_good, mut is_found) = (true, false);
    for organization in all.into_iter().filter(|one| only.is_none_or(|only| only == one.id.as_str())) {
        is_found = true;
        let verdict = consent::verify(&app, &organization.id, expected).await.map_err(shown)?;
        is_good &= verdict.faults.is_empty();
        say(&format!("{} ({}): {verdict}", organization.name, organization.id))?;
    }
    match (is_found, is_good) {
        (false, _) => bail!("there is no such organization"),
        (true, false) => bail!("a record of consent is not what it should be"),
        (true, true) => Ok(()),
    }
}

async fn send(args: &SendArgs) -> anyhow::Result<()> {
    let Some(path) = &args.csv else {
        let sent = send::one(args).await?;
        say(&format!("{} {}", sent.id, sent.status))?;
        return sent.failure.map_or(Ok(()), |failure| bail!("the message did not go out: {failure}"));
    };
    let report = send::sheet(args, path).await?;
    for (line, reason) in &report.failed {
        writeln!(std::io::stderr(), "line {line}: {reason}")?;
    }
    say(&report.to_string())?;
    match (report.stopped_by, report.failed.len()) {
        (Some(error), _) => Err(error.context("stopped; run the same command again to go on, nothing doubles")),
        (None, 0) => Ok(()),
        (None, failed) => bail!("{failed} failed; correct them and run the same command again, nothing doubles"),
    }
}

/// For people, on standard output.
fn say(line: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

fn shown(error: Error) -> anyhow::Error {
    match error {
        Error::Api(api) => anyhow!(api.message),
        other => anyhow!(other),
    }
}

/// Makes the data folder, for its owner only: it holds people's messages.
fn make_data_dir(settings: &Settings) -> anyhow::Result<()> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&settings.data_dir);
    made.with_context(|| format!("cannot make the data folder {}", settings.data_dir.display()))
}

/// Opens the database and brings its schema up to date.
async fn open(settings: &Settings) -> anyhow::Result<Db> {
    settings.check().map_err(|line| anyhow!(line))?;
    make_data_dir(settings)?;
    let db = Db::open(&settings.database_url()).await.context("cannot open the database")?;
    db.migrate().await.context("cannot bring the database's schema up to date")?;
    Ok(db)
}

/// The HTTP client of all providers: bounded in time, no redirects.
fn http_client(settings: &Settings) -> anyhow::Result<reqwest::Client> {
    let mut client = reqwest::Client::builder()
        .timeout(CALL.min(Duration::from_secs(u64::from(settings.lease_seconds)) / 3))
        .connect_timeout(CONNECT)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("Tern/", env!("CARGO_PKG_VERSION")));
    if let Some(path) = &settings.ssl_cert_file {
        let pem = fs::read(path).with_context(|| format!("cannot read SSL_CERT_FILE {}", path.display()))?;
        for certificate in reqwest::Certificate::from_pem_bundle(&pem).context("SSL_CERT_FILE holds no certificates")? {
            client = client.add_root_certificate(certificate);
        }
    }
    super::tls::client(settings.ssl_cert_file.as_deref()).map_err(|line| anyhow!(line))?;
    client.build().context("cannot set up HTTPS")
}

/// Everything wired, schema and keys checked.
async fn app(settings: Settings, role: Role) -> anyhow::Result<App> {
    let db = open(&settings).await?;
    let vault = match settings.encryption_key.clone().filter(|key| !key.is_empty()) {
        Some(key) => Vault::parse(key.into_secret().expose()),
        None => Vault::from_file(&settings.data_dir.join("encryption.key")),
    };
    let vault = vault.map_err(|line| anyhow!(line))?;
    let http = http_client(&settings)?;
    let app = App::new(settings, role, db, vault, Arc::new(SystemClock), http);
    keys::check(&app).await.map_err(shown)?;
    platform::check(&app).await.map_err(shown)?;
    Ok(app)
}

/// One server per data folder: the second one ends with one line. The lock goes with the process, however it ends.
fn own(settings: &Settings) -> anyhow::Result<File> {
    make_data_dir(settings)?;
    let path = settings.data_dir.join("tern.lock");
    let lock = File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(_) => bail!(
            "another Tern is using the data folder {}; stop it first, or choose another with TERN_DATA_DIR",
            settings.data_dir.display()
        ),
    }
}

/// Where the site is: beside the binary, unless `LEPTOS_*` says otherwise.
fn site() -> anyhow::Result<LeptosOptions> {
    let folder = std::env::current_exe()?.parent().map(std::path::Path::to_owned).unwrap_or_default();
    let file = folder.join("Leptos.toml");
    let mut options = match file.to_str().filter(|_| file.exists()) {
        Some(path) => get_configuration(Some(path))?.leptos_options,
        None => get_configuration(None)?.leptos_options,
    };
    if std::path::Path::new(options.site_root.as_ref()).is_relative() {
        options.site_root = folder.join(options.site_root.as_ref()).display().to_string().into();
    }
    Ok(options)
}

async fn serve(settings: Settings, role: Role) -> anyhow::Result<()> {
    settings.check().map_err(|line| anyhow!(line))?;
    let is_sqlite = settings.database_url().starts_with("sqlite:");
    let _lock = if is_sqlite { Some(own(&settings)?) } else { None };
    let app = app(settings, role).await?;
    tokio::spawn(stop_on_signal(app.stop.clone()));
    if role != Role::Worker {
        rehearsal::sweep(&app);
    }
    let worker = (role != Role::Web).then(|| tokio::spawn(Worker::new(app.clone()).run()));
    if role == Role::Worker {
        tracing::info!("the worker is running");
        app.stop.cancelled().await;
    } else {
        listen(&app).await?;
    }
    app.stop.cancel();
    if let Some(worker) = worker {
        worker.await.context("the worker failed")?;
    }
    app.db.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Serves until the application stops, then lets requests under way finish.
async fn listen(app: &App) -> anyhow::Result<()> {
    let address = app.settings.listen;
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    let router = http::router(app.clone(), site()?).into_make_service_with_connect_info::<SocketAddr>();
    tracing::info!("Tern is ready on {}", app.settings.public_url());
    let stop = app.stop.clone();
    let server = axum::serve(listener, router).with_graceful_shutdown(async move { stop.cancelled().await });
    let late = async {
        app.stop.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        done = async { server.await } => done.context("the server failed"),
        () = late => Ok(()),
    }
}

/// Ctrl-C or a service manager's TERM.
async fn stop_on_signal(stop: CancellationToken) {
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminate => {}
    }
    stop.cancel();
}

async fn healthcheck(settings: &Settings) -> anyhow::Result<()> {
    let mut address = settings.listen;
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    let answer = http_client(settings)?.get(format!("http://{address}/healthz")).send().await.context("no answer")?;
    if answer.status().is_success() { Ok(()) } else { bail!("answered {}", answer.status()) }
}

async fn add_user(settings: Settings, email: &str, organization: &str) -> anyhow::Result<()> {
    let password = if std::io::stdin().is_terminal() {
        rpassword::prompt_password("Password: ")?
    } else {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line)?;
        line.trim_end_matches(['\r', '\n']).to_owned()
    };
    let app = app(settings, Role::Web).await?;
    let form = session::SignUpForm { email, password: Secret::new(password), organization: Some(organization) };
    let me = session::add(&app, form, true).await.map_err(shown)?;
    say(&format!("{} can sign in now", me.user.email))
}

/// Checks what can be checked without sending anything, and explains.
async fn doctor(settings: Settings) -> anyhow::Result<()> {
    say(&format!("data folder    {}", settings.data_dir.display()))?;
    say(&format!(
        "database       {}",
        if settings.database_url().starts_with("sqlite:") { "SQLite" } else { "PostgreSQL" }
    ))?;
    say(&format!("public URL     {}", settings.public_url()))?;
    if !settings.public_url().starts_with("https:") {
        say("               not https: providers cannot call back, and cookies travel in clear")?;
    }
    let missing = super::platform::missing(&settings);
    let app = app(settings, Role::Web).await?;
    say(&match &app.platform {
        Some(platform) => format!(
            "platform       {} sends SMS and WhatsApp for organizations without an account, {} a day each",
            platform.number, platform.daily_limit
        ),
        None if missing.is_empty() => {
            "platform       no default: organizations send by accounts of their own".to_owned()
        }
        None => format!("platform       no default: {} is not set", missing.join(", ")),
    })?;
    say("schema         up to date")?;
    let behind = skew::behind(&app).await.map_err(shown)?;
    if behind.abs() > skew::MOST {
        say(&format!("clock          {}: nothing is sent until then", skew::told(behind)))?;
    }
    say(if app.is_key_wrong() { "encryption key does not fit the stored credentials" } else { "encryption key fits" })?;
    let sealed = super::store::account::list_sealed(&mut *app.db.read().await?, "", 10_000).await?;
    let stale = sealed.iter().filter(|stored| stored.secret.as_deref().is_some_and(|s| app.vault.is_stale(s))).count();
    say(&format!("credentials    {} accounts, {stale} sealed with an older key (`tern keys rotate`)", sealed.len()))?;
    let lost = consent::list_lost(&app).await.map_err(shown)?;
    if !lost.is_empty() {
        say(&format!(
            "consent        the key of {} records is lost, nothing is sent for them (`tern keys renew`)",
            lost.len()
        ))?;
    }
    say("")?;
    for line in doctor::examine(&app).await.map_err(shown)? {
        say(&line)?;
    }
    app.db.close().await;
    if app.is_key_wrong() {
        bail!("start with the encryption key of before, or enter all credentials again")
    }
    Ok(())
}
