//! The service manager: sockets that it has opened, and what it is told.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::process::{Daemon, events, run};
use crate::scene::{fixed, naming, on_ports};
use crate::support::{Client, SOON, eventually};

/// A daemon that was started with sockets, as systemd does it.
struct Activated {
    folder: TempDir,
    child: Child,
}

impl Activated {
    /// With one socket; the shell makes it number 3 and says so.
    fn start(configuration: &str, socket: OwnedFd) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = env!("CARGO_BIN_EXE_elbow");
        std::os::unix::fs::symlink(program, folder.path().join("elbow")).unwrap();
        let text = format!("admin = {{ address = \"127.0.0.1:0\" }}\nworkers = 2\n{configuration}");
        std::fs::write(folder.path().join("elbow.toml"), text).unwrap();
        let run = run(&folder, &[]);
        let script =
            "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web exec \"$@\"";
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]).arg(run.get_program());
        command.args(run.get_args());
        let log = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(folder.path().join("log"))
            .unwrap();
        let child = command
            .stdin(Stdio::from(socket))
            .stderr(log)
            .spawn()
            .unwrap();
        Self { folder, child }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    async fn expect_ready(&self) {
        eventually(SOON, "ready", || !events(&self.folder, "ready").is_empty()).await;
    }

    fn exit_code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Activated {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A listening socket that stays open here: a client that comes before the daemon waits.
fn opened() -> (TcpListener, SocketAddr) {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

fn on(address: SocketAddr) -> String {
    on_ports(address, &[address.port()], &fixed("activated"))
}

#[tokio::test]
async fn a_socket_that_was_opened_before_serves_its_listener() {
    let (socket, address) = opened();
    let mut early = Client::connect(address).await;
    let daemon = Activated::start(&on(address), socket.try_clone().unwrap().into());
    assert_eq!(early.get("/").await.text(), "activated");
    daemon.expect_ready().await;
    // Both workers accept from the one socket.
    for _ in 0..20 {
        let mut client = Client::connect(address).await;
        assert_eq!(client.get("/").await.text(), "activated");
    }
    drop(daemon);
    // The socket is the service manager's: the next client waits for the next start.
    Client::connect(address).await;
}

#[tokio::test]
async fn a_socket_that_no_listener_wants_is_refused_by_name() {
    let (socket, address) = opened();
    let (other, elsewhere) = opened();
    drop(other);
    let mut daemon = Activated::start(&on(elsewhere), socket.into());
    assert_eq!(daemon.exit_code(), Some(1));
    let log = daemon.log();
    assert!(
        log.contains(&format!("no listener is on {address} (TCP)")),
        "{log}"
    );
}

#[tokio::test]
async fn a_socket_that_does_not_listen_is_refused() {
    let (socket, address) = opened();
    let connected = std::net::TcpStream::connect(address).unwrap();
    let mut daemon = Activated::start(&on(address), connected.into());
    assert_eq!(daemon.exit_code(), Some(1));
    assert!(daemon.log().contains("Accept=yes"), "{}", daemon.log());
    drop(socket);
}

#[tokio::test]
async fn the_service_manager_learns_which_process_is_the_daemon_before_that_one_is_ready() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(SOON)).unwrap();
    let told = || {
        let mut place = [0; 256];
        let length = manager.recv(&mut place).unwrap();
        String::from_utf8(place[..length].to_vec()).unwrap()
    };
    let mut daemon = Daemon::start_telling(Some(&path), &naming("first")).await;
    assert_eq!(told(), "READY=1");
    daemon.upgraded().await;
    let pid = daemon.pid().await;
    assert_eq!(told(), format!("MAINPID={pid}"));
    assert_eq!(told(), "READY=1");
    assert_eq!(daemon.first_ends().await, Some(0));
    crate::process::signal(&pid.to_string(), "TERM");
    assert_eq!(told(), "STOPPING=1");
}
