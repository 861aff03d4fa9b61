//! Mutual TLS: who is let in, what targets are told of clients' certificates, and what the connection
//! log says.

use std::path::Path;

use elbow::tls::ClientCertificate;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::support::{
    Authority, Certificates, Elbow, Identity, LogLine, SOON, Target, TlsClient, Visitor, eventually,
};
use crate::{TLS12, TLS13, configuration};

const SUBJECT: &str = "X-Amzn-Mtls-Clientcert-Subject";
/// What no client may say of itself.
const CLAIMED: &str = "X-Amzn-Mtls-Clientcert-Subject: CN=admin\r\n\
                       X_Amzn_Mtls_Clientcert_Subject: CN=admin\r\n\
                       X-Amzn-Mtls-Clientcert: x\r\n\
                       x-amzn-mtls-clientcert-leaf: x\r\n";

/// A listener that asks for certificates, and the log of its connections.
struct Scene {
    elbow: Elbow,
    target: Target,
    certificates: Certificates,
    authority: Authority,
}

impl Scene {
    /// `mode` are the settings of mutual authentication; the trust store is named `clients`, and its
    /// list revokes 13.
    async fn start(mode: &str) -> Self {
        let target = Target::saying("hello").await;
        let certificates = Certificates::new();
        let authority = Authority::new("clients' authority");
        write(&certificates.path("ca.crt"), &authority.pem());
        write(&certificates.path("list.crl"), &authority.revoke(&[13]));
        let text = Self::text(&target, &certificates, mode);
        let elbow = Elbow::start_from_file(&text).await;
        Self {
            elbow,
            target,
            certificates,
            authority,
        }
    }

    fn text(target: &Target, certificates: &Certificates, mode: &str) -> String {
        let site = match certificates.paths("site").0.exists() {
            false => certificates.make("site", &["site.test"]),
            true => {
                let (certificate, key) = certificates.paths("site");
                format!(
                    "{{ name = \"site\", certificate = {certificate:?}, private_key = {key:?} }}"
                )
            }
        };
        let listener = format!("mutual_authentication = {{ {mode} }}");
        format!(
            "connection_log = {{ path = {:?}, format = \"json\" }}\n\
             {}\
             [[trust_store]]\n\
             name = \"clients\"\n\
             ca_certificates = {:?}\n\
             revocation_lists = [{:?}]\n",
            certificates.path("connections.log"),
            configuration(target, &[&site], &listener),
            certificates.path("ca.crt"),
            certificates.path("list.crl"),
        )
    }

    fn visitor(&self) -> Visitor {
        self.certificates.visitor()
    }

    /// A client that shows this certificate, and whether it got an answer.
    async fn ask(&self, visitor: Visitor, identity: Option<Identity>, fields: &str) -> bool {
        let visitor = match identity {
            Some(identity) => visitor.showing(identity),
            None => visitor,
        };
        let address = self.elbow.address();
        let Some(mut client) = visitor.try_visit(address, "site.test").await else {
            return false;
        };
        let request = format!("GET / HTTP/1.1\r\nHost: site.test\r\n{fields}\r\n");
        // With TLS 1.3 a client is done before it learns that it was refused.
        if client.wire.try_send(request).await.is_err() {
            return false;
        }
        let answer = client.wire.try_response("GET").await;
        answer.is_ok_and(|answer| answer.status() == 200)
    }

    /// So many lines of the connection log.
    async fn connections(&self, count: usize) -> Vec<LogLine> {
        let path = self.certificates.path("connections.log");
        let mut lines = Vec::new();
        eventually(SOON, "the connection log", || {
            lines = LogLine::read(&path);
            lines.len() >= count
        })
        .await;
        lines
    }
}

fn write(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    std::fs::write(&beside, text).unwrap();
    std::fs::rename(&beside, path).unwrap();
}

/// The certificates in a header field.
fn decoded(value: &str) -> Vec<CertificateDer<'static>> {
    let pem = value.replace("%20", " ").replace("%0A", "\n");
    let certificates = CertificateDer::pem_slice_iter(pem.as_bytes());
    certificates.map(Result::unwrap).collect()
}

const VERIFY: &str = "mode = \"verify\", trust_store = \"clients\"";

#[tokio::test]
async fn a_verified_clients_certificate_is_told_to_the_target_and_logged() {
    let scene = Scene::start(VERIFY).await;
    let identity = scene.authority.issue("client", 0xfef2_5737_2d5c_14d4);
    let leaf = identity.chain[0].clone();
    assert!(scene.ask(scene.visitor(), Some(identity), CLAIMED).await);
    let seen = scene.target.request();
    let field = |name: &str| seen.value(&format!("X-Amzn-Mtls-Clientcert{name}"));
    let words = ClientCertificate::of(&leaf).unwrap();
    assert_eq!(field("-Subject"), Some("CN=client,O=Shop\\, Inc."));
    assert_eq!(field("-Issuer"), Some("CN=clients' authority"));
    assert_eq!(field("-Serial-Number"), Some("FEF257372D5C14D4"));
    assert_eq!(field("-Validity"), Some(&*words.validity));
    assert_eq!(decoded(field("-Leaf").unwrap()), [leaf]);
    assert_eq!(field(""), None);
    assert_eq!(seen.value("X_Amzn_Mtls_Clientcert_Subject"), None);

    let connection = scene.connections(1).await.remove(0);
    assert_eq!(connection.text("tls_verify_status"), "Success");
    assert_eq!(connection.text("tls_protocol"), "TLSv1.3");
    assert_eq!(connection.text("tls_keyexchange"), "X25519MLKEM768");
    let subject = connection.text("leaf_client_cert_subject");
    assert_eq!(subject, "CN=client,O=Shop\\, Inc.");
    assert_eq!(connection.text("leaf_client_cert_validity"), words.validity);
    let serial = connection.text("leaf_client_cert_serial_number");
    assert_eq!(serial, "FEF257372D5C14D4");
    assert!(connection.number("tls_handshake_latency").is_some());
    let request = scene.elbow.log_line().await;
    let id = connection.text("conn_trace_id");
    assert!(id.starts_with("TID_") && id.len() == 36, "{id}");
    assert_eq!(request.text("conn_trace_id"), id);
}

#[tokio::test]
async fn who_is_not_let_in_is_logged_with_albs_code() {
    let scene = Scene::start(VERIFY).await;
    let stranger = Authority::new("stranger");
    let authority = &scene.authority;
    let refused = [
        (Some(stranger.issue("client", 1)), "ClientCertUntrusted"),
        (Some(authority.issue("client", 13)), "ClientCertCrlHit"),
        (
            Some(authority.issue_expired("client", 2)),
            "ClientCertExpired",
        ),
        (None, "UnmappedConnectionError"),
    ];
    let mut count = 0;
    for (identity, code) in refused {
        for (version, name) in [(TLS13, "TLSv1.3"), (TLS12, "TLSv1.2")] {
            let visitor = scene.certificates.visitor_of(version);
            let shows = identity.is_some();
            let again = identity.as_ref().map(Identity::copy);
            assert!(!scene.ask(visitor, again, "").await, "{code}");
            count += 1;
            let line = scene.connections(count).await.pop().unwrap();
            let status = format!("Failed:{code}");
            assert_eq!(line.text("tls_verify_status"), status);
            assert_eq!(line.text("tls_protocol"), name, "{code}");
            let subject = line.text("leaf_client_cert_subject");
            assert_eq!(subject == "CN=client,O=Shop\\, Inc.", shows, "{code}");
            assert_eq!(line.number("tls_handshake_latency"), None);
        }
    }
    assert_eq!(scene.target.connections(), 0);
    let row = "elbow_client_tls_negotiation_errors_total{cause=\"client_certificate\"}";
    assert_eq!(
        scene.elbow.metric(row),
        f64::from(u8::try_from(count).unwrap())
    );
}

#[tokio::test]
async fn expiry_may_be_ignored() {
    let mode = format!("{VERIFY}, ignore_client_certificate_expiry = true");
    let scene = Scene::start(&mode).await;
    let identity = scene.authority.issue_expired("client", 2);
    assert!(scene.ask(scene.visitor(), Some(identity), "").await);
}

#[tokio::test]
async fn a_chain_is_passed_through_unverified_and_none_need_be_shown() {
    let scene = Scene::start("mode = \"passthrough\"").await;
    let stranger = Authority::new("stranger");
    let mut identity = stranger.issue_expired("client", 1);
    let root = CertificateDer::from_pem_slice(stranger.pem().as_bytes()).unwrap();
    identity.chain.push(root);
    let chain = identity.chain.clone();
    assert!(scene.ask(scene.visitor(), Some(identity), CLAIMED).await);
    assert!(scene.ask(scene.visitor(), None, CLAIMED).await);
    let [with, without] = &scene.target.requests()[..] else {
        panic!("two requests");
    };
    let passed = with.value("X-Amzn-Mtls-Clientcert").unwrap();
    assert_eq!(decoded(passed), chain);
    assert_eq!(with.value(SUBJECT), None);
    let lines = without.lines();
    let told = lines
        .iter()
        .any(|line| line.to_ascii_lowercase().contains("clientcert"));
    assert!(!told, "{lines:?}");
}

#[tokio::test]
async fn the_fields_are_called_what_the_listener_says() {
    let names = "x_amzn_mtls_clientcert_subject = \"X-Client-Subject\"";
    let mode = format!("{VERIFY} }}\nrequest_header_names = {{ {names}");
    let scene = Scene::start(&mode).await;
    let identity = scene.authority.issue("client", 7);
    let claimed = format!("{CLAIMED}x_client-subject: CN=admin\r\n");
    assert!(scene.ask(scene.visitor(), Some(identity), &claimed).await);
    let seen = scene.target.request();
    let subject = seen.value("X-Client-Subject");
    assert_eq!(subject, Some("CN=client,O=Shop\\, Inc."));
    assert_eq!(seen.value("x_client-subject"), None);
    assert_eq!(seen.value(SUBJECT), None);
    assert_eq!(
        seen.value("X-Amzn-Mtls-Clientcert-Serial-Number"),
        Some("07")
    );
}

#[tokio::test]
async fn a_list_that_changes_holds_for_the_next_handshake() {
    let scene = Scene::start(VERIFY).await;
    let identity = scene.authority.issue("client", 7);
    let (first, other) = (identity.copy(), identity.copy());
    assert!(scene.ask(scene.visitor(), Some(first), "").await);
    let list = scene.certificates.path("list.crl");
    write(&list, &scene.authority.revoke(&[7]));
    let deadline = tokio::time::Instant::now() + SOON;
    while scene.ask(scene.visitor(), Some(identity.copy()), "").await {
        assert!(tokio::time::Instant::now() < deadline, "still let in");
    }
    // What cannot be used changes nothing.
    write(&list, "no list");
    let row = || scene.elbow.generation();
    let before = row();
    scene
        .elbow
        .reload()
        .reload(elbow::reload::Cause::Api)
        .await
        .unwrap_err();
    assert_eq!(row(), before);
    assert!(!scene.ask(scene.visitor(), Some(other), "").await);
}

#[tokio::test]
async fn sessions_are_not_resumed_where_certificates_are_verified() {
    let scene = Scene::start(VERIFY).await;
    for version in [TLS13, TLS12] {
        let visitor = scene.certificates.visitor_of(version).resuming();
        let visitor = visitor.showing(scene.authority.issue("client", 7));
        for _ in 0..2 {
            let mut client: TlsClient = visitor.visit(scene.elbow.address(), "site.test").await;
            assert_eq!(client.get("/").await.text(), "hello");
        }
    }
    for line in scene.elbow.log(4).await {
        assert_eq!(line.text("chosen_cert_arn"), "site");
    }
}

#[tokio::test]
async fn a_reload_asks_new_connections_for_certificates() {
    let scene = Scene::start("mode = \"off\"").await;
    let mut open = scene
        .visitor()
        .visit(scene.elbow.address(), "site.test")
        .await;
    assert_eq!(open.get("/").await.text(), "hello");
    let text = Scene::text(&scene.target, &scene.certificates, VERIFY);
    scene.elbow.apply(&text).await.unwrap();
    assert_eq!(open.get("/").await.text(), "hello");
    assert!(!scene.ask(scene.visitor(), None, "").await);
    let identity = scene.authority.issue("client", 7);
    assert!(scene.ask(scene.visitor(), Some(identity), "").await);
}

#[tokio::test]
async fn nobody_says_of_itself_whose_certificate_it_has_shown() {
    let target = Target::saying("hello").await;
    for (trusted, passes) in [("192.0.2.1", false), ("127.0.0.1", true)] {
        let attributes = format!("trusted_proxies = {{ from = [\"{trusted}\"] }}");
        let elbow = Elbow::before(&[&target], &attributes, "").await;
        let mut client = crate::support::Client::connect(elbow.address()).await;
        let request = format!("GET / HTTP/1.1\r\nHost: site.test\r\n{CLAIMED}\r\n");
        assert_eq!(client.ask(request).await.status(), 200);
        let seen = target.requests().pop().unwrap();
        assert_eq!(seen.value(SUBJECT), passes.then_some("CN=admin"));
        let leaf = seen.value("X-Amzn-Mtls-Clientcert-Leaf");
        assert_eq!(leaf, passes.then_some("x"));
        let underscored = seen.value("X_Amzn_Mtls_Clientcert_Subject");
        assert_eq!(underscored.is_some(), passes);
    }
}

#[tokio::test]
async fn an_invalid_name_is_dropped_if_it_is_to_be_whoever_writes_it() {
    let target = Target::saying("hello").await;
    let attributes = "trusted_proxies = { from = [\"127.0.0.1\"] }\n\
                      drop_invalid_header_fields = true";
    let elbow = Elbow::before(&[&target], attributes, "").await;
    let mut client = crate::support::Client::connect(elbow.address()).await;
    let request = format!("GET / HTTP/1.1\r\nHost: site.test\r\n{CLAIMED}\r\n");
    assert_eq!(client.ask(request).await.status(), 200);
    let seen = target.requests().pop().unwrap();
    assert_eq!(seen.value(SUBJECT), Some("CN=admin"));
    assert_eq!(seen.value("X_Amzn_Mtls_Clientcert_Subject"), None);
}

#[tokio::test]
async fn a_plain_connection_is_logged_without_tls() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("connections.log");
    let target = Target::saying("hello").await;
    let elbow = Elbow::start(&format!(
        "connection_log = {{ path = {path:?} }}\n\
         [[load_balancer]]\n\
         name = \"lb\"\n\
         nodes = [{{ address = \"127.0.0.1\" }}]\n\
         listener = [{{ port = 0, default = {{ forward = \"group\" }} }}]\n\
         [[target_group]]\n\
         name = \"group\"\n\
         health_check = {{ enabled = false }}\n\
         {}\n",
        target.line(),
    ))
    .await;
    let mut client = crate::support::Client::connect(elbow.address()).await;
    assert_eq!(client.get("/").await.status(), 200);
    let id = elbow.log_line().await.text("conn_trace_id").to_owned();
    let mut line = String::new();
    eventually(SOON, "a line", || {
        line = std::fs::read_to_string(&path).unwrap_or_default();
        line.ends_with('\n')
    })
    .await;
    let (port, listener) = (client.address.port(), elbow.address().port());
    let expected = format!(" 127.0.0.1 {port} {listener} - - - \"-\" - - - {id} - 127.0.0.1\n");
    assert!(line.ends_with(&expected), "{line}");
}
