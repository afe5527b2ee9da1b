//! A real IMAP server, Debian's Dovecot, on a folder of its own: mails are put into it as files.

use super::{Folder, until};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
};
use tern::server::simulate::smtp::Identity;
use tokio::net::TcpStream;

/// Signs in, beside [`tern::server::simulate::smtp::USER`] with its password of the mail server.
pub const PASSWORD: &str = "marker-imap-password-4f81";
/// With this name.
pub const USER: &str = "reader";

/// A running Dovecot.
pub struct Dovecot {
    folder: Folder,
    child: Child,
    /// In clear, or STARTTLS.
    pub port: u16,
    /// TLS from the first byte.
    pub tls_port: u16,
    mails: u32,
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port()
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|out| out.stdout.starts_with(b"0\n"))
}

impl Dovecot {
    pub async fn start(identity: &Identity) -> Self {
        use tern::server::simulate::smtp as mail;
        let folder = Folder::new();
        let (at, port, tls_port) = (folder.path().display().to_string(), free_port(), free_port());
        for name in ["mail", "mail/new", "mail/cur", "mail/tmp"] {
            let path = folder.path().join(name);
            fs::create_dir(&path).expect("a folder");
            // As root, Dovecot opens mailboxes as somebody else.
            fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).expect("permissions");
        }
        let users = format!("{}:{}::::::\n{USER}:{PASSWORD}::::::\n", mail::USER, mail::PASSWORD);
        for (name, text) in [("cert.pem", &identity.certificate), ("key.pem", &identity.key), ("users", &users)] {
            fs::write(folder.path().join(name), text).expect("a file");
        }
        let owner = if is_root() {
            "userdb {\n driver = static\n args = uid=nobody gid=nogroup\n}\n".to_owned()
        } else {
            let user = std::env::var("USER").unwrap_or_else(|_| "nobody".to_owned());
            let services =
                ["imap-login", "anvil", "stats", "auth"].map(|name| format!("service {name} {{\n chroot =\n}}\n"));
            format!(
                "default_internal_user = {user}\ndefault_login_user = {user}\ndefault_internal_group =\n\
                 userdb {{\n driver = static\n args = uid={user} gid={user}\n}}\n{}",
                services.concat()
            )
        };
        let config = format!(
            "base_dir = {at}/run\nstate_dir = {at}/run\nlog_path = {at}/log\nprotocols = imap\nlisten = 127.0.0.1\n\
             ssl = yes\nssl_cert = <{at}/cert.pem\nssl_key = <{at}/key.pem\ndisable_plaintext_auth = no\n\
             auth_mechanisms = plain login\nmail_location = maildir:{at}/mail\nfirst_valid_uid = 1\n\
             passdb {{\n driver = passwd-file\n args = scheme=plain {at}/users\n}}\n{owner}\
             service imap-login {{\n inet_listener imap {{\n port = {port}\n }}\n inet_listener imaps {{\n port = {tls_port}\n ssl = yes\n }}\n}}\n"
        );
        fs::write(folder.path().join("dovecot.conf"), config).expect("a file");
        let mut command = Command::new("/usr/sbin/dovecot");
        command.arg("-F").arg("-c").arg(folder.path().join("dovecot.conf"));
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.expect("Dovecot: `cargo xtask setup` installs dovecot-imapd");
        let dovecot = Self { folder, child, port, tls_port, mails: 0 };
        until(async || TcpStream::connect(("127.0.0.1", tls_port)).await.is_ok()).await;
        dovecot
    }

    /// A mail arrives; its file.
    pub fn deliver(&mut self, raw: &str) -> PathBuf {
        self.mails += 1;
        let path = self.folder.path().join(format!("mail/new/{}.eml", self.mails));
        let written = self.folder.path().join(format!("mail/tmp/{}.eml", self.mails));
        fs::write(&written, raw).expect("a file");
        fs::rename(written, &path).expect("a mail");
        path
    }

    /// Forgets how it numbered its mails: from now on it counts anew.
    pub fn count_anew(&self) {
        for file in fs::read_dir(self.folder.path().join("mail")).expect("a folder").flatten() {
            if file.file_name().to_string_lossy().starts_with("dovecot") {
                let _ = fs::remove_file(file.path());
            }
        }
        let list = self.folder.path().join("mail/dovecot-uidlist");
        fs::write(&list, "3 V4242 N1\n").expect("a file");
        fs::set_permissions(&list, fs::Permissions::from_mode(0o666)).expect("permissions");
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        // Its own children end with it when it is asked, not when it is killed.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}
