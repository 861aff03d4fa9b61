//! A daemon that keeps what is made through the API, and the API as a tool sees it: forms in, XML out.

#![allow(
    dead_code,
    reason = "what one file of the suite does not use, another does"
)]

use std::net::SocketAddr;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::support::{Client, Elbow, SOON, Target};

/// A daemon with a state directory, from a file, that can be started again.
pub(crate) struct Scene {
    pub(crate) elbow: Elbow,
    state: TempDir,
    text: String,
}

/// An answer of the API.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) xml: String,
}

impl Scene {
    /// Starts with this configuration and a state directory.
    pub(crate) async fn start(text: &str) -> Self {
        let state = tempfile::tempdir().unwrap();
        let text = format!("state_directory = {:?}\n{text}", state.path());
        Self {
            elbow: Elbow::start_from_file(&text).await,
            state,
            text,
        }
    }

    /// A target group `site` of the file with this target, subnets `a` and `b` on 127.0.0.1 and 127.0.0.2, a security
    /// group `open`, and more.
    pub(crate) async fn before(target: &Target, more: &str) -> Self {
        Self::start(&format!(
            "{more}\n\
             [[subnet]]\nname = \"a\"\nzone = \"zone-a\"\ncidr_blocks = [\"127.0.0.1/32\"]\naddresses = [\"127.0.0.1\"]\n\
             [[subnet]]\nname = \"b\"\nzone = \"zone-b\"\ncidr_blocks = [\"127.0.0.2/32\"]\naddresses = [\"127.0.0.2\"]\n\
             [[security_group]]\nname = \"open\"\ninbound = [{{ source = \"0.0.0.0/0\" }}]\n\
             [[target_group]]\nname = \"site\"\nhealth_check = {{ enabled = false }}\n{}\n",
            target.line(),
        ))
        .await
    }

    /// Ends the daemon and starts another with the same file and state directory.
    pub(crate) async fn restart(self) -> Self {
        let Self { elbow, state, text } = self;
        let _ = elbow.shutdown().await;
        Self {
            elbow: Elbow::start_from_file(&text).await,
            state,
            text,
        }
    }

    /// Writes another file, with the same state directory, and reloads.
    pub(crate) async fn rewrite(&mut self, text: &str) {
        self.text = format!("state_directory = {:?}\n{text}", self.state.path());
        self.elbow.apply(&self.text).await.unwrap();
    }

    /// What is kept on the disk; nothing before the first change.
    pub(crate) fn kept(&self) -> Option<String> {
        std::fs::read_to_string(self.state.path().join("inventory.json")).ok()
    }

    /// Asks for an operation, with parameters such as `("Targets.member.1.Id", "127.0.0.1")`.
    pub(crate) async fn ask(&self, action: &str, parameters: &[(&str, &str)]) -> Answer {
        self.ask_version("2015-12-01", action, parameters).await
    }

    /// The same of another API than that of Application Load Balancers.
    pub(crate) async fn ask_version(
        &self,
        version: &str,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> Answer {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("Action", action);
        form.append_pair("Version", version);
        let body = form.extend_pairs(parameters).finish();
        let length = body.len();
        let request = format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=x/20261125/eu-central-1/elasticloadbalancing/aws4_request\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        let mut client = Client::connect(self.elbow.admin()).await;
        let response = client.ask(request).await;
        Answer {
            status: response.status(),
            xml: response.text().to_owned(),
        }
    }

    /// The same, which must be done.
    pub(crate) async fn done(&self, action: &str, parameters: &[(&str, &str)]) -> Answer {
        let answer = self.ask(action, parameters).await;
        assert_eq!(answer.status, 200, "{action}: {}", answer.xml);
        answer
    }

    /// The same, which must be refused: the code and the message.
    pub(crate) async fn refused(
        &self,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> (String, String) {
        let answer = self.ask(action, parameters).await;
        assert_eq!(answer.status, 400, "{action}: {}", answer.xml);
        (answer.one("Code"), answer.one("Message"))
    }

    /// The ARN of the target group `site`.
    pub(crate) async fn site(&self) -> String {
        let wanted = [("Names.member.1", "site")];
        let answer = self.done("DescribeTargetGroups", &wanted).await;
        answer.one("TargetGroupArn")
    }

    /// Waits until the only target of a group is in a state.
    pub(crate) async fn expect_state(&self, target_group: &str, state: &str) {
        let end = Instant::now() + SOON;
        loop {
            let of = [("TargetGroupArn", target_group)];
            let health = self.done("DescribeTargetHealth", &of).await;
            if health.health().one("State") == state {
                return;
            }
            assert!(Instant::now() < end, "not {state}: {}", health.xml);
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Makes a load balancer in subnet `a` and returns its ARN.
    pub(crate) async fn load_balancer(&self, name: &str) -> String {
        let wanted = [("Name", name), ("Subnets.member.1", "a")];
        let answer = self.done("CreateLoadBalancer", &wanted).await;
        answer.one("LoadBalancerArn")
    }
}

impl Answer {
    /// The texts of all elements of that name, in order.
    pub(crate) fn all(&self, element: &str) -> Vec<String> {
        let (open, close) = (format!("<{element}>"), format!("</{element}>"));
        let parts = self.xml.split(&open).skip(1);
        let texts = parts.map(|part| part.split_once(&close).unwrap().0);
        texts
            .map(|text| {
                let plain = text.replace("&lt;", "<").replace("&gt;", ">");
                plain.replace("&quot;", "\"").replace("&amp;", "&")
            })
            .collect()
    }

    /// The text of the only one.
    pub(crate) fn one(&self, element: &str) -> String {
        let mut all = self.all(element);
        assert_eq!(all.len(), 1, "{element} in {}", self.xml);
        all.remove(0)
    }

    /// The health of the only target, without what overrides it.
    pub(crate) fn health(&self) -> Self {
        Self {
            status: self.status,
            xml: self.one("TargetHealth"),
        }
    }

    /// The value of an attribute, of an answer that lists keys and values.
    pub(crate) fn attribute(&self, key: &str) -> Option<String> {
        let keys = self.all("Key");
        let at = keys.iter().position(|other| other == key)?;
        // A value that is empty is there, too.
        self.all("Value").get(at).cloned()
    }
}

/// A port of the loopback interface that nobody has.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Where a listener answers that was made on a port.
pub(crate) fn at(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}
