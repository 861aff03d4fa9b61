//! Start: what keeps the daemon from it, and how it says so.

use elbow::app::StartError;

use crate::scene::{fixed, listening, on_ports, order, own_address};
use crate::support::Elbow;

async fn refused(text: &str) -> StartError {
    Elbow::try_start(text).await.err().expect("a refusal")
}

#[tokio::test]
async fn a_second_daemon_on_the_same_address_is_refused_although_the_kernel_would_share_it() {
    let address = own_address();
    let text = on_ports(address, &[address.port()], &fixed("first"));
    let _first = Elbow::start(&text).await;
    let error = refused(&text).await;
    let said = error.to_string();
    assert!(said.contains("the address is in use"), "{said}");
    assert!(!error.is_bad_configuration());
    assert_eq!(order(address, 1).await, ["first"]);
}

#[tokio::test]
async fn a_wrong_configuration_keeps_the_daemon_from_starting() {
    let error = refused(&listening(0, "{ forward = \"nowhere\" }")).await;
    assert!(error.is_bad_configuration());
    // Four lines come before this text.
    assert!(error.to_string().contains("test:10:23"), "{error}");
}
