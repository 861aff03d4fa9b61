//! What clients say of its certificates, by rustls-webpki.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tempfile::TempDir;

use super::*;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn authority(folder: &TempDir) -> Authority {
    let (authority, _) = Authority::open_or_create(folder.path(), SystemTime::now()).unwrap();
    authority
}

fn order(names: &[&str]) -> Order {
    Order {
        names: names.iter().map(|name| name.parse().unwrap()).collect(),
        life: 90 * DAY,
    }
}

fn issue(authority: &Authority, names: &[&str], kind: KeyKind) -> Issued {
    authority
        .issue(&order(names), kind, SystemTime::now())
        .unwrap()
}

/// What a client that trusts the authority in `folder` says of a certificate at `at`.
fn verify(folder: &Path, issued: &Issued, name: &str, at: SystemTime) -> Result<(), rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(folder.join("ca.pem")).unwrap())
        .unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .unwrap();
    let leaf = CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap();
    let at = at.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    verifier
        .verify_server_cert(
            &leaf,
            &[],
            &ServerName::try_from(name.to_owned()).unwrap(),
            &[],
            UnixTime::since_unix_epoch(at),
        )
        .map(|_| ())
}

#[test]
fn a_certificate_is_good_for_its_names_and_for_no_others() {
    let folder = folder();
    let names = ["shop.test", "*.shop.test", "127.0.0.1", "::1"];
    let issued = issue(&authority(&folder), &names, KeyKind::EcdsaP256);
    let now = SystemTime::now();
    for name in ["shop.test", "www.shop.test", "127.0.0.1", "::1"] {
        verify(folder.path(), &issued, name, now).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    for name in ["a.b.shop.test", "other.test", "127.0.0.2"] {
        verify(folder.path(), &issued, name, now).unwrap_err();
    }
}

#[test]
fn a_certificate_is_good_for_as_long_as_it_was_ordered() {
    let folder = folder();
    let issued = issue(&authority(&folder), &["shop.test"], KeyKind::EcdsaP256);
    let now = SystemTime::now();
    for (after, good) in [(0, true), (89, true), (91, false)] {
        let verified = verify(folder.path(), &issued, "shop.test", now + after * DAY);
        assert_eq!(verified.is_ok(), good, "after {after} days: {verified:?}");
    }
}

#[test]
fn a_certificate_lives_no_longer_than_its_authority() {
    let folder = folder();
    let authority = authority(&folder);
    let late = authority.not_after - 3 * DAY;
    let order = order(&["shop.test"]);
    let issued = authority.issue(&order, KeyKind::EcdsaP256, late).unwrap();
    assert_eq!(issued.not_after, authority.not_after);
    verify(folder.path(), &issued, "shop.test", late + 2 * DAY).unwrap();
}

#[test]
fn every_kind_of_key_makes_a_certificate_that_a_server_can_use() {
    let folder = folder();
    let authority = authority(&folder);
    // RSA 4096 takes seconds; it differs from the others by its number only.
    for kind in [KeyKind::EcdsaP256, KeyKind::EcdsaP384, KeyKind::Rsa2048] {
        let issued = issue(&authority, &["shop.test"], kind);
        verify(folder.path(), &issued, "shop.test", SystemTime::now())
            .unwrap_or_else(|error| panic!("{kind}: {error}"));
        let chain = vec![CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
        let provider = aws_lc_rs::default_provider();
        let certified = rustls::sign::CertifiedKey::from_der(chain, key, &provider).unwrap();
        certified.keys_match().unwrap();
    }
}

#[test]
fn the_authority_is_found_again_and_its_key_is_its_owners_alone() {
    let folder = folder();
    let path = folder.path().join("nested/ca");
    let now = SystemTime::now();
    let (made, origin) = Authority::open_or_create(&path, now).unwrap();
    assert_eq!(origin, Origin::Made);
    let certificate = fs::read(made.certificate()).unwrap();
    let (found, origin) = Authority::open_or_create(&path, now).unwrap();
    assert_eq!((origin, &found.name), (Origin::Found, &made.name));
    assert_eq!(fs::read(found.certificate()).unwrap(), certificate);
    let mode = fs::metadata(found.key()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let issued = issue(&found, &["shop.test"], KeyKind::EcdsaP256);
    verify(&path, &issued, "shop.test", now).unwrap();
}

#[test]
fn a_renewed_certificate_has_the_key_and_the_names_and_another_number() {
    let folder = folder();
    let authority = authority(&folder);
    let names = ["shop.test", "10.0.0.6", "::1"];
    let first = issue(&authority, &names, KeyKind::EcdsaP256);
    let file = Path::new("shop.test.pem");
    let read = names_in(file, &first.certificate).unwrap();
    assert_eq!(read, order(&names).names);
    let again = Order {
        names: read,
        life: 180 * DAY,
    };
    let key = (Path::new("shop.test.key"), first.key.as_str());
    let second = authority
        .issue_again(&again, key, SystemTime::now())
        .unwrap();
    assert_eq!(second.key, first.key);
    let number = |issued: &Issued| {
        let der = CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap();
        let (_, certificate) = x509_parser::parse_x509_certificate(&der).unwrap();
        certificate.raw_serial_as_string()
    };
    assert_ne!(number(&first), number(&second));
    let late = SystemTime::now() + 170 * DAY;
    verify(folder.path(), &second, "10.0.0.6", late).unwrap();
}

#[test]
fn what_is_in_the_folder_must_be_an_authority_with_its_key() {
    let (one, other) = (folder(), folder());
    let now = SystemTime::now();
    let mine = authority(&one);
    let theirs = authority(&other);
    let leaf = issue(&mine, &["shop.test"], KeyKind::EcdsaP256).certificate;
    let certificate = fs::read_to_string(mine.certificate()).unwrap();
    for (file, contents, why) in [
        (theirs.certificate(), certificate.as_str(), "not its own"),
        (theirs.certificate(), leaf.as_str(), "CA:TRUE"),
        (theirs.certificate(), "nonsense", "no certificate"),
        (theirs.key(), "nonsense", "no private key"),
    ] {
        fs::write(&file, contents).unwrap();
        let error = Authority::open_or_create(other.path(), now).unwrap_err();
        assert!(error.to_string().contains(why), "{why}: {error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), contents);
    }
    let late = mine.not_after + DAY;
    let error = Authority::open_or_create(one.path(), late).unwrap_err();
    assert!(error.to_string().contains("has expired on"), "{error}");
}

#[test]
fn a_key_without_its_certificate_is_not_written_over() {
    let folder = folder();
    let authority = authority(&folder);
    let key = fs::read(authority.key()).unwrap();
    fs::remove_file(authority.certificate()).unwrap();
    let error = Authority::open_or_create(folder.path(), SystemTime::now()).unwrap_err();
    assert!(error.to_string().contains("ca.key"), "{error}");
    assert_eq!(fs::read(authority.key()).unwrap(), key);
}
