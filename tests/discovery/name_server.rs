//! A small DNS server: answers over UDP what a test tells it to.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hickory_resolver::proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use parking_lot::Mutex;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// A DNS server on a port of 127.0.0.1; ends with the test.
pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    serving: JoinHandle<()>,
}

#[derive(Default)]
struct Zone {
    records: BTreeMap<(String, RecordType), Vec<Record>>,
    silent: bool,
    asked: usize,
}

impl NameServer {
    pub(crate) async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let zone = Arc::<Mutex<Zone>>::default();
        let answering = Arc::clone(&zone);
        Self {
            address: socket.local_addr().unwrap(),
            zone,
            serving: tokio::spawn(async move {
                let mut buffer = [0; 2048];
                while let Ok((length, client)) = socket.recv_from(&mut buffer).await {
                    let answer = answering.lock().answer(&buffer[..length]);
                    if let Some(answer) = answer {
                        let _ = socket.send_to(&answer, client).await;
                    }
                }
            }),
        }
    }

    /// What a name's addresses are from now on; none at all means that there is no such name.
    pub(crate) fn addresses(&self, name: &str, ttl: u32, addresses: &[&str]) {
        let mut zone = self.zone.lock();
        for family in [RecordType::A, RecordType::AAAA] {
            zone.records.remove(&(name.to_owned(), family));
        }
        for address in addresses {
            let (family, data) = match address.parse().unwrap() {
                IpAddr::V4(address) => (RecordType::A, RData::A(A(address))),
                IpAddr::V6(address) => (RecordType::AAAA, RData::AAAA(AAAA(address))),
            };
            let record = Record::from_rdata(fqdn(name), ttl, data);
            let key = (name.to_owned(), family);
            zone.records.entry(key).or_default().push(record);
        }
    }

    /// What a service's hosts are: priority, weight, port, host.
    pub(crate) fn services(&self, name: &str, ttl: u32, hosts: &[(u16, u16, u16, &str)]) {
        let records = hosts.iter().map(|(priority, weight, port, host)| {
            let srv = SRV::new(*priority, *weight, *port, fqdn(host));
            Record::from_rdata(fqdn(name), ttl, RData::SRV(srv))
        });
        let key = (name.to_owned(), RecordType::SRV);
        self.zone.lock().records.insert(key, records.collect());
    }

    /// Whether it says nothing at all.
    pub(crate) fn silence(&self, silent: bool) {
        self.zone.lock().silent = silent;
    }

    /// How many questions came.
    pub(crate) fn asked(&self) -> usize {
        self.zone.lock().asked
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Zone {
    fn answer(&mut self, question: &[u8]) -> Option<Vec<u8>> {
        self.asked += 1;
        if self.silent {
            return None;
        }
        let question = Message::from_vec(question).unwrap();
        let query = question.queries.first()?.clone();
        let name = query.name().to_utf8().trim_end_matches('.').to_lowercase();
        let known = self.records.keys().any(|(other, _)| *other == name);
        let mut answer = Message::new(question.metadata.id, MessageType::Response, OpCode::Query);
        answer.metadata.recursion_desired = question.metadata.recursion_desired;
        answer.metadata.recursion_available = true;
        answer.metadata.response_code = match known {
            true => ResponseCode::NoError,
            false => ResponseCode::NXDomain,
        };
        let found = self.records.get(&(name, query.query_type()));
        answer.add_query(query);
        answer.add_answers(found.into_iter().flatten().cloned());
        answer.to_vec().ok()
    }
}

fn fqdn(name: &str) -> Name {
    Name::from_utf8(format!("{name}.")).unwrap()
}
