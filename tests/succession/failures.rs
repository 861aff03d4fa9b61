//! A new process that fails costs nobody anything: the one that runs goes on.

use crate::process::{Daemon, signal};
use crate::scene::{Site, UNPROBED, fixed, listening, naming, one_group, web_socket};
use crate::support::{Client, SOON, eventually};

/// Whether the first process still serves, and says why there is no other.
async fn expect_unchanged(daemon: &mut Daemon, reason: &str) {
    let mut client = Client::connect(daemon.address()).await;
    assert_eq!(client.get("/").await.text(), "first");
    assert!(daemon.first_runs());
    let status = daemon.ask("/status").await;
    assert_eq!(status["process"]["pid"], daemon.first_pid());
    let failed = &status["process"]["last_failed_upgrade"]["error"];
    assert!(failed.as_str().unwrap().contains(reason), "{failed}");
}

#[tokio::test]
async fn a_wrong_configuration_leaves_the_process_that_runs() {
    let mut daemon = Daemon::start(&naming("first")).await;
    daemon.configure(&naming("second").replace("status = 200", "status = 99"));
    let output = daemon.upgrade().await;
    assert_eq!(output.status.code(), Some(64), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("99"), "{said}");
    assert!(
        said.contains("The running process goes on as before."),
        "{said}"
    );
    expect_unchanged(&mut daemon, "99").await;
    let mut admin = Client::connect(daemon.admin()).await;
    let metrics = admin.get("/metrics").await;
    assert!(metrics.text().contains("\nelbow_failed_upgrades_total 1\n"));
    daemon.configure(&naming("second"));
    daemon.upgraded().await;
    let mut client = Client::connect(daemon.address()).await;
    assert_eq!(client.get("/").await.text(), "second");
    let mut admin = Client::connect(daemon.admin()).await;
    let metrics = admin.get("/metrics").await;
    assert!(metrics.text().contains("\nelbow_process_number 2\n"));
}

#[tokio::test]
async fn a_program_that_ends_at_once_or_cannot_be_started_leaves_the_process_that_runs() {
    let mut daemon = Daemon::start(&naming("first")).await;
    daemon.install("#!/bin/sh\nexit 7\n");
    let output = daemon.upgrade().await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    expect_unchanged(&mut daemon, "exit status: 7").await;
    daemon.install("#!/nowhere/sh\n");
    assert_eq!(daemon.upgrade().await.status.code(), Some(1));
    expect_unchanged(&mut daemon, "cannot start").await;
}

#[tokio::test]
async fn a_process_that_crashes_when_it_has_all_sockets_leaves_the_process_that_runs() {
    let mut daemon = Daemon::start(&naming("first")).await;
    // Its configuration is a pipe that nobody writes to: it waits there, with the sockets in its hands.
    let pipe = daemon.path("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let program = env!("CARGO_BIN_EXE_elbow");
    let pipe = pipe.display();
    daemon.install(&format!(
        "#!/bin/sh\nexec {program} run --log-format json --config {pipe} --take-over -\n"
    ));
    let crash = async {
        let started = "a new process has been started";
        eventually(SOON, "a process", || daemon.events(started).len() == 1).await;
        let pid = daemon.events(started)[0]["pid"].to_string();
        // The channel twice, two listening sockets, that of the admin address.
        eventually(SOON, "it has the sockets", || sockets_of(&pid) >= 5).await;
        signal(&pid, "KILL");
    };
    let (output, ()) = tokio::join!(daemon.upgrade(), crash);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    expect_unchanged(&mut daemon, "signal: 9").await;
}

#[tokio::test]
async fn an_address_that_is_taken_leaves_the_process_that_runs() {
    let mut daemon = Daemon::start(&naming("first")).await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let more = format!(
        "[[load_balancer.listener]]\nport = {port}\ndefault = {}\n",
        fixed("more")
    );
    daemon.configure(&(naming("first") + &more));
    assert_eq!(daemon.upgrade().await.status.code(), Some(1));
    expect_unchanged(&mut daemon, "address is in use").await;
}

#[tokio::test]
async fn an_upgrade_socket_that_cannot_be_made_leaves_the_process_that_runs() {
    let mut daemon = Daemon::start(&naming("first")).await;
    let folder = daemon.path("folder");
    std::fs::create_dir(&folder).unwrap();
    for socket in [daemon.path("nowhere/upgrade.sock"), folder] {
        let upgrade = format!("upgrade = {{ socket = {socket:?} }}\n");
        daemon.configure(&(upgrade + &naming("first")));
        assert_eq!(daemon.upgrade().await.status.code(), Some(1));
        expect_unchanged(&mut daemon, "cannot listen on the upgrade socket").await;
    }
}

#[tokio::test]
async fn a_process_that_was_started_by_hand_takes_over_by_the_socket() {
    let site = Site::start("a").await;
    let text = |daemon: Option<&Daemon>| {
        let socket = daemon.map(|daemon| daemon.path("upgrade.sock"));
        let socket = socket.map_or_else(String::new, |path| {
            format!("upgrade = {{ socket = {path:?} }}\n")
        });
        socket + &one_group(&[&site], UNPROBED)
    };
    // The folder is known when it is there; so the first process is upgraded to one with a socket.
    let mut daemon = Daemon::start(&text(None)).await;
    daemon.configure(&text(Some(&daemon)));
    daemon.upgraded().await;
    let second = daemon.pid().await;
    let socket = daemon.path("upgrade.sock");
    assert!(socket.exists());
    daemon.start_another(&["--take-over", socket.to_str().unwrap()]);
    daemon.expect_ready(3).await;
    let third = daemon.pid().await;
    assert_ne!(second, third);
    let mut client = Client::connect(daemon.address()).await;
    assert_eq!(client.get("/").await.status(), 200);
    let ended = "the process before has ended";
    eventually(SOON, "both have ended", || daemon.events(ended).len() == 2).await;
    assert!(socket.exists(), "it belongs to the one that serves");
}

/// How many sockets a process has open.
fn sockets_of(pid: &str) -> usize {
    let Ok(open) = std::fs::read_dir(format!("/proc/{pid}/fd")) else {
        return 0;
    };
    let links = open
        .flatten()
        .filter_map(|entry| std::fs::read_link(entry.path()).ok());
    let is_socket = |link: &std::path::PathBuf| link.to_string_lossy().starts_with("socket:");
    links.filter(is_socket).count()
}
