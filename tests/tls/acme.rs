//! Certificates that are ordered, from an authority that cannot be reached: what listeners do
//! meanwhile. `tests/acme` orders from one that can.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use rcgen::KeyPair;
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::support::{Certificates, Client, Elbow, SOON, eventually};

const TOKEN: &str = "/.well-known/acme-challenge/evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA";

/// A daemon with a state directory, and a listener for HTTP and one for HTTPS.
struct Scene {
    elbow: Elbow,
    http: SocketAddr,
    state: TempDir,
    certificates: Certificates,
}

impl Scene {
    async fn start() -> Self {
        let (state, certificates) = (tempfile::tempdir().unwrap(), Certificates::new());
        certificates.make("ca", &["ca.test"]);
        // The configuration may say only once that the system chooses a port.
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let http = free.local_addr().unwrap();
        drop(free);
        let text = configuration(&state, &certificates, http.port(), "site.test");
        let elbow = Elbow::start_from_file(&text).await;
        Self {
            elbow,
            http,
            state,
            certificates,
        }
    }

    fn https(&self) -> SocketAddr {
        let mut addresses = self.elbow.addresses("lb").into_iter();
        addresses.find(|address| *address != self.http).unwrap()
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let answer = Client::connect(self.http).await.get(path).await;
        (answer.status(), String::from_utf8(answer.body).unwrap())
    }

    async fn acme(&self) -> Value {
        let answer = Client::connect(self.elbow.admin()).await.get("/acme").await;
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// Waits until the admin address says of the certificate that its last attempt has failed so.
    async fn fails(&self, result: &str) -> Value {
        let until = Instant::now() + SOON;
        loop {
            let certificate = self.acme().await["certificates"][0].clone();
            if certificate["last_attempt"]["result"] == result {
                return certificate;
            }
            assert!(Instant::now() < until, "{certificate}");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

fn configuration(state: &TempDir, certificates: &Certificates, http: u16, names: &str) -> String {
    format!(
        "state_directory = {:?}\n\
         [[acme]]\n\
         name = \"inner\"\n\
         directory = \"https://127.0.0.1:1/dir\"\n\
         agree_to_terms = true\n\
         ca = {:?}\n\
         [[load_balancer]]\n\
         name = \"lb\"\n\
         nodes = [{{ address = \"127.0.0.1\" }}]\n\
         [[load_balancer.listener]]\n\
         port = {http}\n\
         default = {{ fixed_response = {{ status = 404, body = \"by the rules\" }} }}\n\
         [[load_balancer.listener]]\n\
         port = 0\n\
         protocol = \"HTTPS\"\n\
         certificates = [{{ acme = \"inner\", names = [\"{names}\"] }}]\n\
         default = {{ fixed_response = {{ status = 200, body = \"hello\" }} }}\n",
        state.path(),
        certificates.paths("ca").0,
    )
}

#[tokio::test]
async fn a_listener_starts_without_its_certificate_and_says_what_is_wrong() {
    let scene = Scene::start().await;
    // It answers, but shows nothing that a client would trust.
    let visitor = scene.certificates.visitor();
    assert!(
        visitor
            .try_visit(scene.https(), "site.test")
            .await
            .is_none()
    );
    let failures = "elbow_client_tls_negotiation_errors_total{cause=\"certificate_refused\"}";
    scene.elbow.expect_metric(failures, 1.0).await;

    let certificate = scene.fails("unreachable").await;
    assert_eq!(certificate["name"], "site.test");
    assert_eq!(certificate["certificate"], Value::Null);
    let detail = certificate["last_attempt"]["detail"].as_str().unwrap();
    assert!(detail.contains("cannot be reached"), "{detail}");
    let orders = "elbow_acme_orders_total{certificate=\"site.test\",result=\"unreachable\"}";
    assert!(scene.elbow.metric(orders) >= 1.0);
    let answer = Client::connect(scene.elbow.admin())
        .await
        .get("/metrics")
        .await;
    let text = String::from_utf8(answer.body).unwrap();
    let last = "elbow_acme_last_order{certificate=\"site.test\",result=\"unreachable\"} 1";
    assert!(text.contains(last), "{text}");
    assert!(!text.contains("elbow_acme_certificate_expiry"), "{text}");
}

#[tokio::test]
async fn a_challenge_is_answered_before_the_rules_while_it_waits_to_be_asked_for() {
    let scene = Scene::start().await;
    assert_eq!(scene.get(TOKEN).await, (404, "by the rules".to_owned()));
    // As another process with the same state directory puts it.
    let folder = scene.state.path().join("acme/challenges");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join(TOKEN.replace("/.well-known/acme-challenge/", "http-01_"));
    fs::write(&file, "token.thumbprint").unwrap();
    let until = Instant::now() + SOON;
    // The first request, the one that is answered, and the four that follow have a line each.
    let mut lines = 6;
    while scene.get(TOKEN).await != (200, "token.thumbprint".to_owned()) {
        lines += 1;
        assert!(Instant::now() < until);
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(scene.get(&format!("{TOKEN}?query")).await.0, 200);
    for other in [
        "/.well-known/acme-challenge/other",
        "/.well-known/acme-challenge/",
        "/",
    ] {
        assert_eq!(scene.get(other).await.0, 404, "{other}");
    }
    let lines = scene.elbow.log(lines).await;
    let executed: Vec<_> = lines
        .iter()
        .map(|line| line.text("actions_executed").to_owned())
        .collect();
    assert!(
        executed.contains(&"acme-challenge".to_owned()),
        "{executed:?}"
    );
    fs::remove_file(&file).unwrap();
    while scene.get(TOKEN).await.0 != 404 {
        assert!(Instant::now() < until + SOON);
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_certificate_that_was_kept_is_shown_from_the_start_and_over_reloads() {
    let scene = Scene::start().await;
    scene.fails("unreachable").await;
    // As an order would have kept it, in the place that the failed one has found.
    let folders = fs::read_dir(scene.state.path().join("acme")).unwrap();
    let mut files = folders.flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap());
    let history = files.find_map(|file| {
        let path = file.unwrap().path();
        path.extension()
            .is_some_and(|ending| ending == "json")
            .then_some(path)
    });
    let key = KeyPair::generate().unwrap();
    scene.certificates.make_with("kept", &key, &["site.test"]);
    let chain = fs::read_to_string(scene.certificates.paths("kept").0).unwrap();
    let both = format!("{}{chain}", key.serialize_pem());
    fs::write(history.unwrap().with_extension("pem"), both).unwrap();

    let (state, port) = (&scene.state, scene.http.port());
    let other = configuration(state, &scene.certificates, port, "other.test");
    scene.elbow.apply(&other).await.unwrap();
    let visitor = scene.certificates.visitor();
    assert!(
        visitor
            .try_visit(scene.https(), "other.test")
            .await
            .is_none()
    );
    let first = configuration(state, &scene.certificates, port, "site.test");
    scene.elbow.apply(&first).await.unwrap();
    let client = visitor.visit(scene.https(), "site.test").await;
    assert_eq!(client.shown(), scene.certificates.read("kept"));
    // The new name's keeping has ended with the configuration that wanted it.
    eventually(SOON, "one certificate", || {
        let scrape = scene.elbow.scrape();
        !scrape.contains("certificate=\"other.test\"")
    })
    .await;
    assert_eq!(
        scene.acme().await["certificates"].as_array().unwrap().len(),
        1
    );
}

#[tokio::test]
async fn an_account_whose_authority_cannot_be_verified_is_refused_and_nothing_changes() {
    let scene = Scene::start().await;
    let before = scene.elbow.generation();
    let (state, port) = (&scene.state, scene.http.port());
    let text = configuration(state, &scene.certificates, port, "site.test");
    let error = scene
        .elbow
        .apply(&text.replace("/ca.pem", "/gone.pem"))
        .await;
    let error = format!("{:?}", error.unwrap_err());
    assert!(error.contains("gone.pem"), "{error}");
    assert_eq!(scene.elbow.generation(), before);
}
