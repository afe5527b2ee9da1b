//! A PostgreSQL server for one run of tests or benchmarks: a cluster of its own in a temporary folder, gone when the run ends.

use crate::{
    command::exec,
    tools::{is_root, postgres_bin},
};
use anyhow::{Context, Result};
use std::{fs, net::TcpListener, path::PathBuf, process::Command};

/// The running server; dropping it stops the server and removes its folder.
pub struct Postgres {
    bin: PathBuf,
    folder: PathBuf,
    port: u16,
}

impl Postgres {
    /// Makes and starts a cluster for tests, without fsync: a test database need not outlive a power cut.
    pub fn start() -> Result<Self> {
        Self::with("-c fsync=off")
    }

    /// Makes and starts a cluster with the usual promises, to be measured.
    pub fn start_durable() -> Result<Self> {
        Self::with("-c fsync=on -c synchronous_commit=on -c shared_preload_libraries=pg_stat_statements")
    }

    fn with(settings: &str) -> Result<Self> {
        let bin = postgres_bin().context("PostgreSQL is missing")?;
        let folder = std::env::temp_dir().join(format!("tern-postgres-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        if is_root() {
            exec("chown", Command::new("chown").arg("postgres").arg(&folder))?;
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let server = Self { bin, folder, port };
        let data = server.folder.join("data");
        exec(
            "initdb",
            server
                .program("initdb")
                .args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--pgdata"])
                .arg(&data)
                .stdout(std::process::Stdio::null()),
        )?;
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={} {settings} -c max_connections=200",
            server.folder.display()
        );
        let mut start = server.program("pg_ctl");
        start
            .arg("start")
            .arg("--wait")
            .arg("--pgdata")
            .arg(&data)
            .arg("--log")
            .arg(server.folder.join("log"))
            .arg("--options")
            .arg(options);
        exec("PostgreSQL", start.stdout(std::process::Stdio::null()))?;
        Ok(server)
    }

    /// Where it listens, without a database's name.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}", self.port)
    }

    /// One of its programs; it refuses to run as root.
    fn program(&self, name: &str) -> Command {
        let program = self.bin.join(name);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(&self.folder);
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let mut stop = self.program("pg_ctl");
        stop.args(["stop", "--mode=immediate", "--pgdata"]).arg(self.folder.join("data"));
        let _ = exec("stopping PostgreSQL", stop.stdout(std::process::Stdio::null()));
        let _ = fs::remove_dir_all(&self.folder);
    }
}
