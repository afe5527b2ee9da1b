//! What an operator can set: flags, or the same by environment. A bad value stops the start with one line.

use super::{dial::Range, platform::Platform};
use crate::domain::secret::Entered;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::{net::SocketAddr, path::PathBuf};

/// Reaches people by e-mail, SMS and WhatsApp from accounts you own.
#[derive(Parser)]
#[command(name = "tern", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Subcommand)]
pub enum Command {
    /// Web pages, API and worker in one process
    Serve {
        /// Which part of it
        #[arg(long, value_enum, default_value_t = Role::All)]
        role: Role,
        /// Everything else.
        #[command(flatten)]
        settings: Settings,
    },
    /// Send one message, or the rows of a CSV file, by a running server
    Send(Box<crate::server::send::SendArgs>),
    /// Stateful stand-ins for Twilio and a mail server, for development and tests
    Simulate(crate::server::simulate::SimulateArgs),
    /// Compare a database with the journal of `tern simulate`: lost, doubled, above the limit, wrong state, usage drift
    #[command(hide = true)]
    Oracle(crate::server::oracle::OracleArgs),
    /// Bring the database's schema up to date
    Migrate(Settings),
    /// Check configuration, database, keys and accounts, and explain
    Doctor(Settings),
    /// People
    #[command(subcommand)]
    User(UserCommand),
    /// Encryption keys
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Check the records of consent: nothing was changed or cut off, and whoever asked for it is left alone
    VerifyConsent {
        /// Only the organization of this id
        #[arg(long)]
        organization: Option<String>,
        /// NUMBER:DIGEST of an entry, as it was told before: it must still be there
        #[arg(long, requires = "organization")]
        expect: Option<String>,
        /// Where the data is
        #[command(flatten)]
        settings: Settings,
    },
    /// Ask a running server whether it is well; for containers
    Healthcheck(Settings),
}

/// Commands about people.
#[derive(Subcommand)]
pub enum UserCommand {
    /// Add a person with an organization of their own; the password is asked for, or read from standard input
    Add {
        /// Signs in with it
        #[arg(long)]
        email: String,
        /// Name of the organization
        #[arg(long)]
        organization: String,
        /// The database.
        #[command(flatten)]
        settings: Settings,
    },
}

/// Commands about keys.
#[derive(Subcommand)]
pub enum KeysCommand {
    /// Seal every credential anew with the first key of `ENCRYPTION_KEY`; may be stopped and run again
    Rotate(Settings),
    /// Begin new records of consent where the key is lost for good: people whose lead was deleted after they had asked to
    /// be left alone are not known any more
    Renew(Settings),
}

/// Which part of the server runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Web and worker.
    All,
    /// Pages and API only.
    Web,
    /// Sending only.
    Worker,
}

/// Who may sign up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SignUp {
    /// The first user only.
    First,
    /// Anybody.
    Open,
}

/// The settings of a server.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// Where to listen
    #[arg(long, env = "TERN_LISTEN", default_value = "127.0.0.1:3000")]
    pub listen: SocketAddr,
    /// Holds the SQLite file and, if no key is configured, the generated key file
    #[arg(long, env = "TERN_DATA_DIR", default_value = "./data")]
    pub data_dir: PathBuf,
    /// `sqlite://…` or `postgres://…`; SQLite in the data folder when not given
    #[arg(long, env = "TERN_DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// One secret of at least 16 characters, or a list `id:secret,id:secret`: the first encrypts, all decrypt
    #[arg(long, env = "ENCRYPTION_KEY", hide_env_values = true)]
    pub encryption_key: Option<Entered>,
    /// What providers and browsers see; `http://<listen>` when not given
    #[arg(long, env = "TERN_PUBLIC_URL")]
    pub public_url: Option<String>,
    /// Who may sign up
    #[arg(long, env = "TERN_SIGN_UP", value_enum, default_value_t = SignUp::First)]
    pub sign_up: SignUp,
    /// Platform default: Twilio account
    #[arg(long, env = "TWILIO_ACCOUNT_SID", hide_env_values = true)]
    pub twilio_account_sid: Option<Entered>,
    /// Platform default: its auth token
    #[arg(long, env = "TWILIO_AUTH_TOKEN", hide_env_values = true)]
    pub twilio_auth_token: Option<Entered>,
    /// Platform default: its number
    #[arg(long, env = "TWILIO_PHONE_NUMBER")]
    pub twilio_phone_number: Option<String>,
    /// Platform default: messages a day, for each organization and channel
    #[arg(long, env = "TERN_PLATFORM_DAILY_LIMIT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub platform_daily_limit: u32,
    /// Twilio's API: another region, a proxy, or `tern simulate`
    #[arg(long, env = "TWILIO_API_URL", default_value = "https://api.twilio.com")]
    pub twilio_api_url: String,
    /// Ranges of addresses that mail servers of accounts may be in, besides the public internet: `10.0.0.0/8,::1`
    #[arg(long, env = "TERN_ALLOW_PRIVATE_HOSTS", value_delimiter = ',')]
    pub allow_private_hosts: Vec<Range>,
    /// The largest file of leads that is taken in, in MiB
    #[arg(long, env = "TERN_UPLOAD_MAX_MIB", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=16_384))]
    pub upload_max_mib: u32,
    /// A try that has no result after so long is taken for lost
    #[arg(long, env = "TERN_LEASE_SECONDS", default_value_t = 90, hide = true, value_parser = clap::value_parser!(u32).range(2..=3600))]
    pub lease_seconds: u32,
    /// A message of unknown outcome that its provider does not list so long after its try was not sent
    #[arg(long, env = "TERN_RECONCILE_SECONDS", default_value_t = 45, hide = true, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub reconcile_seconds: u32,
    /// PEM file of roots that are trusted in addition to the built-in ones
    #[arg(long, env = "SSL_CERT_FILE")]
    pub ssl_cert_file: Option<PathBuf>,
}

impl Settings {
    /// The database's URL.
    pub fn database_url(&self) -> String {
        if let Some(url) = self.database_url.as_deref().filter(|url| !url.is_empty()) {
            url.to_owned()
        } else {
            let path = self.data_dir.join("tern.db").display().to_string();
            let escaped = path.replace('%', "%25").replace('?', "%3f").replace('#', "%23").replace(' ', "%20");
            format!("sqlite://{escaped}")
        }
    }

    /// The public URL, without a slash at its end.
    pub fn public_url(&self) -> String {
        let given = self.public_url.as_deref().filter(|url| !url.is_empty());
        given.map_or_else(|| format!("http://{}", self.listen), |url| url.trim_end_matches('/').to_owned())
    }

    /// What Tern calls itself to mail servers: the public host name, or an address literal when there is none.
    pub fn smtp_hello(&self) -> String {
        let url = reqwest::Url::parse(&self.public_url()).ok();
        let name = url.as_ref().and_then(reqwest::Url::domain).filter(|name| name.contains('.'));
        name.map_or_else(|| "[127.0.0.1]".to_owned(), str::to_owned)
    }

    /// The largest file of leads, in bytes.
    pub fn upload_max(&self) -> u64 {
        u64::from(self.upload_max_mib) * 1024 * 1024
    }

    /// Milliseconds of a lease. A provider's call ends in a third of it, so its result always comes in time.
    pub fn lease(&self) -> i64 {
        i64::from(self.lease_seconds) * crate::domain::time::SECOND
    }

    /// Milliseconds after which a provider that does not list a message never had it.
    pub fn reconcile(&self) -> i64 {
        i64::from(self.reconcile_seconds) * crate::domain::time::SECOND
    }

    /// Whether providers can call us. A real one refuses a URL on loopback; a stand-in on loopback does not.
    pub fn can_be_called(&self) -> bool {
        !is_loopback(&self.public_url()) || is_loopback(&self.twilio_api_url)
    }

    /// One line for the first bad value.
    pub fn check(&self) -> Result<(), String> {
        for (name, url) in [("TERN_PUBLIC_URL", self.public_url()), ("TWILIO_API_URL", self.twilio_api_url.clone())] {
            let good =
                reqwest::Url::parse(&url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
            if !good {
                return Err(format!("{name} must be a URL like https://tern.example.com"));
            }
        }
        let url = self.database_url();
        if !["sqlite://", "postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
            return Err("TERN_DATABASE_URL must start with sqlite:// or postgres://".to_owned());
        }
        Platform::new(self).map(drop)
    }
}

fn is_loopback(url: &str) -> bool {
    let host = reqwest::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    host == "localhost"
        || host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback() || ip.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_recognised() {
        for url in ["http://127.0.0.1:3000", "http://localhost:1", "http://[::1]:3000", "http://0.0.0.0:3000"] {
            assert!(is_loopback(url), "{url}");
        }
        assert!(!is_loopback("https://api.twilio.com"));
    }
}
