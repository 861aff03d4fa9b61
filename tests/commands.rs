//! The program as an operator meets it: what it prints, its exit codes, its signals.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_secs(20);

fn elbow(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_elbow");
    Command::new(program).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn answering(body: &str) -> String {
    format!(
        "workers = 1\nadmin = {{ address = \"127.0.0.1:0\" }}\n\
         [[load_balancer]]\nname = \"web\"\nnodes = [{{ address = \"127.0.0.1\" }}]\n\
         [[load_balancer.listener]]\nport = 0\n\
         default = {{ fixed_response = {{ status = 200, body = \"{body}\" }} }}\n"
    )
}

/// A file in a folder of its own.
struct File(TempDir);

impl File {
    fn with(text: &str) -> Self {
        let file = Self(tempfile::tempdir().unwrap());
        fs::write(file.path(), text).unwrap();
        file
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("elbow.toml")
    }
}

/// `elbow run`, with its log. Dropping it kills it.
struct Daemon {
    process: Child,
    log: BufReader<ChildStderr>,
}

impl Daemon {
    fn run(file: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_elbow"))
            .args(["run", "--log-format", "json", "--config"])
            .arg(file)
            .env_remove("ELBOW_LOG")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(process.stderr.take().unwrap());
        Self { process, log }
    }

    /// The next event with that message; skips others.
    fn event(&mut self, message: &str) -> serde_json::Value {
        let mut seen = String::new();
        loop {
            let mut line = String::new();
            let read = self.log.read_line(&mut line).unwrap();
            assert_ne!(read, 0, "the log ended before {message:?}:\n{seen}");
            seen.push_str(&line);
            let event: serde_json::Value = serde_json::from_str(&line).unwrap();
            if event["message"].as_str().unwrap().contains(message) {
                return event;
            }
        }
    }

    fn address(&mut self, message: &str) -> SocketAddr {
        let event = self.event(message);
        event["address"].as_str().unwrap().parse().unwrap()
    }

    fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.unwrap().success());
    }

    fn exit_code(&mut self) -> Option<i32> {
        self.process.wait().unwrap().code()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Sends one request and reads to the end of the connection.
fn get(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let request = "GET / HTTP/1.1\r\nHost: test.example\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn check_says_yes_in_one_line() {
    let file = File::with(&answering("one"));
    let output = elbow(&["check", file.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = text(&output.stdout);
    assert!(
        said.ends_with("can be used: 1 load balancer, 0 target groups, 0 targets.\n"),
        "{said}"
    );
}

#[test]
fn check_names_every_problem_with_its_line_and_exits_with_64() {
    let wrong = answering("one")
        .replace("workers", "workres")
        .replace("status = 200", "status = 99");
    let file = File::with(&wrong);
    let output = elbow(&["check", file.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(64));
    let said = text(&output.stderr);
    for part in ["elbow.toml:1:1", "`workers`", "elbow.toml:8:", "2 errors"] {
        assert!(said.contains(part), "{part} is missing in:\n{said}");
    }
}

#[test]
fn run_exits_with_64_on_a_configuration_that_is_wrong_or_missing() {
    let file = File::with("load_balancer = 7");
    for path in [file.path(), file.path().with_extension("missing")] {
        let output = elbow(&["run", "--config", path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(64), "{output:?}");
        assert!(text(&output.stderr).contains(path.to_str().unwrap()));
    }
}

#[test]
fn schema_is_one_json_document() {
    let output = elbow(&["schema"]);
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(schema["properties"]["load_balancer"].is_object());
}

#[test]
fn who_reads_no_further_is_no_failure() {
    for arguments in [&["schema"][..], &["demo", "--print-config"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_elbow"));
        let output = command.args(arguments).stdout(writer).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(text(&output.stderr), "");
    }
}

#[test]
fn the_demos_configuration_can_be_used_as_it_is_printed() {
    let printed = elbow(&["demo", "--print-config"]);
    let file = File::with(text(&printed.stdout));
    let output = elbow(&["check", file.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn the_configuration_in_the_readme_can_be_used() {
    let readme = include_str!("../README.md");
    let block = readme.split("```toml\n").nth(1).unwrap();
    let file = File::with(block.split("```").next().unwrap());
    let output = elbow(&["check", file.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn a_request_is_explained_by_a_file() {
    let file = File::with(&answering("one").replace("port = 0", "port = 8080"));
    let path = file.path();
    let ask = |more: &[&str]| {
        let file = ["explain", "-c", path.to_str().unwrap(), "GET"];
        elbow(&[&file[..], more].concat())
    };
    let output = ask(&[
        "http://shop.test:8080/",
        "-H",
        "X: y",
        "--source",
        "198.51.100.1",
    ]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = text(&output.stdout);
    assert!(
        said.contains("from 198.51.100.1") && said.ends_with("\none\n"),
        "{said}"
    );
    let output = ask(&["--json", "shop.test"]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["matched_rule"], "default");
    assert_eq!(document["outcome"]["type"], "fixed-response");
    let output = ask(&["http://shop.test:81/"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("no listener is HTTP:81"),
        "{output:?}"
    );
}

#[test]
fn status_without_a_daemon_says_what_to_do() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap().to_string();
    drop(nobody);
    let output = elbow(&["status", "--admin", &address]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("--admin"), "{output:?}");
}

#[test]
fn a_daemon_reloads_on_sighup_and_by_command_and_ends_on_sigterm() {
    let file = File::with(&answering("one"));
    let mut daemon = Daemon::run(&file.path());
    let address = daemon.address("listening");
    let admin = daemon.address("admin address").to_string();
    daemon.event("ready");
    assert!(get(address).ends_with("one"));

    fs::write(file.path(), answering("two")).unwrap();
    daemon.signal("HUP");
    let event = daemon.event("configuration in force");
    assert!(
        event["message"]
            .as_str()
            .unwrap()
            .contains("listeners ~web:0"),
        "{event}"
    );
    assert!(get(address).ends_with("two"));

    fs::write(file.path(), answering("three")).unwrap();
    let output = elbow(&["reload", "--admin", &admin]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(get(address).ends_with("three"));

    fs::write(file.path(), "workers = 0").unwrap();
    let output = elbow(&["reload", "--admin", &admin]);
    assert_eq!(output.status.code(), Some(64), "{output:?}");
    let said = text(&output.stderr);
    assert!(
        said.contains("elbow.toml:1:11") && said.contains("stays in force"),
        "{said}"
    );
    assert!(get(address).ends_with("three"));

    let url = format!("http://{address}/a");
    let output = elbow(&["explain", "GET", &url, "--admin", &admin]);
    let said = text(&output.stdout);
    assert!(said.ends_with("\nthree\n"), "{output:?}");

    let output = elbow(&["status", "--admin", &admin]);
    let said = text(&output.stdout);
    for part in ["ready", "web", &address.to_string(), "was refused"] {
        assert!(said.contains(part), "{part} is missing in:\n{said}");
    }
    daemon.signal("TERM");
    assert_eq!(daemon.exit_code(), Some(0));
}

#[test]
fn a_second_signal_ends_a_shutdown_that_waits() {
    // A target that takes requests, for nobody probes it, and never answers one.
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let text = format!(
        "{}[[target_group]]\nname = \"mute\"\nhealth_check = {{ enabled = false }}\n\
         targets = [{{ address = \"{}\" }}]\n",
        answering("one").replace(
            "{ fixed_response = { status = 200, body = \"one\" } }",
            "{ forward = \"mute\" }"
        ),
        target.local_addr().unwrap(),
    );
    let file = File::with(&text);
    let mut daemon = Daemon::run(&file.path());
    let address = daemon.address("listening");
    daemon.event("ready");
    let mut client = TcpStream::connect(address).unwrap();
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: test.example\r\n\r\n")
        .unwrap();
    let (_in_flight, _) = target.accept().unwrap();
    daemon.signal("TERM");
    daemon.event("shutting down");
    assert_eq!(
        daemon.process.try_wait().unwrap(),
        None,
        "it waits for the request"
    );
    daemon.signal("TERM");
    assert_eq!(daemon.exit_code(), Some(1));
}

/// `elbow cert` in a folder.
fn cert(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_elbow"));
    let command = command.arg("cert").args(arguments).current_dir(folder);
    command.output().unwrap()
}

#[test]
fn cert_makes_an_authority_once_and_says_where_everything_goes() {
    let folder = tempfile::tempdir().unwrap();
    let first = cert(folder.path(), &["*.shop.test", "shop.test", "127.0.0.1"]);
    assert_eq!(first.status.code(), Some(0), "{first:?}");
    let said = text(&first.stdout);
    for part in [
        "*.shop.test, shop.test, 127.0.0.1",
        "_wildcard.shop.test.pem",
        "certificates = [{ certificate = \"/",
        "update-ca-certificates",
        "elbow-ca/ca.pem",
    ] {
        assert!(said.contains(part), "{part} is missing in:\n{said}");
    }
    let second = cert(
        folder.path(),
        &["--out", "inner", "10.0.0.6", "--key", "rsa-2048"],
    );
    assert_eq!(second.status.code(), Some(0), "{second:?}");
    let said = text(&second.stdout);
    assert!(
        said.contains("trusts it already") && !said.contains("update-ca"),
        "{said}"
    );
    for file in ["_wildcard.shop.test.pem", "inner/10.0.0.6.pem"] {
        let file = folder.path().join(file);
        let pem = fs::read_to_string(&file).unwrap();
        assert!(pem.starts_with("-----BEGIN CERTIFICATE-----"), "{pem}");
        let mode = fs::metadata(file.with_extension("key"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        if let Some(verified) = openssl_verify(&folder.path().join("elbow-ca/ca.pem"), &file) {
            assert!(verified.status.success(), "{verified:?}");
        }
    }
}

/// What OpenSSL says of a certificate, on machines that have it.
fn openssl_verify(authority: &Path, certificate: &Path) -> Option<Output> {
    let mut command = Command::new("openssl");
    command.args(["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile"]);
    command.arg(authority).arg(certificate).output().ok()
}

#[test]
fn cert_replaces_nothing_unless_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shop.test.pem");
    let key = file.with_extension("key");
    assert!(cert(folder.path(), &["shop.test"]).status.success());
    let (first, first_key) = (fs::read(&file).unwrap(), fs::read(&key).unwrap());

    let refused = cert(folder.path(), &["shop.test"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(text(&refused.stderr).contains("--overwrite"), "{refused:?}");
    assert_eq!(fs::read(&file).unwrap(), first);

    let renewed = cert(folder.path(), &["--renew", "shop.test.pem", "--days", "30"]);
    assert!(renewed.status.success(), "{renewed:?}");
    assert!(
        text(&renewed.stdout).contains("for shop.test,"),
        "{renewed:?}"
    );
    assert_ne!(fs::read(&file).unwrap(), first);
    assert_eq!(fs::read(&key).unwrap(), first_key);

    let replaced = cert(folder.path(), &["--overwrite", "shop.test"]);
    assert!(replaced.status.success(), "{replaced:?}");
    assert_ne!(fs::read(&key).unwrap(), first_key);
}

#[test]
fn cert_refuses_names_that_no_client_would_accept() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, why) in [
        (&["*.test"][..], "top-level"),
        (&["a.*.shop.test"], "first label"),
        (&[], "NAME"),
        (&["shop.test", "--days", "900"], "825"),
    ] {
        let output = cert(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(text(&output.stderr).contains(why), "{output:?}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
