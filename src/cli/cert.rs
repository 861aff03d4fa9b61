//! `elbow cert`: a certificate from an authority of one's own.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{self, Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::Args;

use crate::disk::{self, Readers};
use crate::local_ca::{Authority, Issued, KeyKind, LocalCaError, Name, Order, Origin, names_in};

use super::Failure;
use super::say::say;

/// What certificate is wanted.
#[derive(Debug, Args)]
pub(super) struct Cert {
    /// What it is for: DNS names, wildcards (*.example.com), IP addresses
    #[arg(value_name = "NAME", required_unless_present = "renew")]
    names: Vec<Name>,
    /// The folder of the authority; made if it is not there
    #[arg(long = "ca", value_name = "FOLDER", default_value = "elbow-ca")]
    authority: PathBuf,
    /// The folder for the certificate (NAME.pem) and its key (NAME.key)
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    out: PathBuf,
    /// The kind of key
    #[arg(long = "key", value_name = "KIND", value_enum, default_value_t)]
    kind: KeyKind,
    /// How long it is valid; clients refuse what lives longer than 825 days
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=825))]
    days: u32,
    /// Replace a certificate and a key that are there
    #[arg(long)]
    overwrite: bool,
    /// Make this certificate valid again: the same names, the same key (beside it, as .key)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["names", "out", "kind", "overwrite"])]
    renew: Option<PathBuf>,
}

/// The files of a certificate.
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

impl Cert {
    /// Makes the certificate, and says what to do with it.
    pub(super) fn run(self) -> Result<(), Failure> {
        let now = SystemTime::now();
        let life = Duration::from_secs(u64::from(self.days) * 24 * 60 * 60);
        let (order, files, key) = match &self.renew {
            Some(file) => {
                let names = names_in(file, &read(file)?)?;
                let files = Files {
                    certificate: file.clone(),
                    key: file.with_extension("key"),
                };
                let key = read(&files.key)?;
                (Order { names, life }, files, Some(key))
            }
            None => {
                let files = self.new_files()?;
                let names = self.names.clone();
                (Order { names, life }, files, None)
            }
        };
        let (authority, origin) = Authority::open_or_create(&self.authority, now)?;
        let issued = match &key {
            Some(key) => authority.issue_again(&order, (&files.key, key), now)?,
            None => authority.issue(&order, self.kind, now)?,
        };
        if key.is_none() {
            self.write(&files.key, &issued.key, Readers::Owner)?;
        }
        self.write(&files.certificate, &issued.certificate, Readers::All)?;
        Ok(say(told(&authority, origin, &order, &issued, &files))?)
    }

    /// Where a new certificate goes. Refuses what is taken before anything is made.
    fn new_files(&self) -> Result<Files, Failure> {
        let stem = self.names.first().map(Name::file_stem).unwrap_or_default();
        let files = Files {
            certificate: self.out.join(format!("{stem}.pem")),
            key: self.out.join(format!("{stem}.key")),
        };
        fs::create_dir_all(&self.out)
            .map_err(|source| file("make the folder", &self.out, source))?;
        for path in [&files.certificate, &files.key] {
            if path.exists() && !self.overwrite {
                return Err(Failure::Taken { path: path.clone() });
            }
        }
        Ok(files)
    }

    fn write(&self, path: &Path, pem: &str, readers: Readers) -> Result<(), Failure> {
        let write = match self.overwrite || self.renew.is_some() {
            true => disk::replace,
            false => disk::create,
        };
        write(path, pem.as_bytes(), readers).map_err(|source| file("write", path, source))
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|source| file("read", path, source))
}

fn file(what: &'static str, path: &Path, source: io::Error) -> Failure {
    let path = path.to_owned();
    LocalCaError::File { what, path, source }.into()
}

/// What was made, where it goes, and how clients come to trust it.
fn told(
    authority: &Authority,
    origin: Origin,
    order: &Order,
    issued: &Issued,
    files: &Files,
) -> String {
    let absolute = |path: &Path| path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let (certificate, key) = (absolute(&files.certificate), absolute(&files.key));
    let ca = absolute(&authority.certificate());
    let names: Vec<&str> = order.names.iter().map(Name::as_str).collect();
    // Writing to a string cannot fail.
    let mut text = String::new();
    let _ = writeln!(
        text,
        "A certificate for {}, valid until {}:\n\n  {}\n  {}   (its key: mode 0600)\n",
        names.join(", "),
        day(issued.not_after),
        certificate.display(),
        key.display(),
    );
    let _ = writeln!(
        text,
        "In the configuration, on a listener with protocol = \"HTTPS\":\n\n  \
         certificates = [{{ certificate = {:?}, private_key = {:?} }}]\n",
        certificate.display().to_string(),
        key.display().to_string(),
    );
    let _ = writeln!(
        text,
        "It is signed by {:?}, {} in {}, valid until {}.",
        authority.name,
        match origin {
            Origin::Made => "an authority that was made",
            Origin::Found => "the authority",
        },
        absolute(&authority.folder).display(),
        day(authority.not_after),
    );
    if origin == Origin::Found {
        let _ = writeln!(text, "Who trusts it already accepts this certificate, too.");
        return text;
    }
    let _ = write!(
        text,
        "Whoever has {} can make certificates for every name: keep it.\n\n\
         Clients accept the certificate once they trust the authority. On each of their machines:\n\n  \
         Debian, Ubuntu  sudo cp {ca} /usr/local/share/ca-certificates/elbow-local-ca.crt\n                  \
         sudo update-ca-certificates\n  \
         Fedora, RHEL    sudo cp {ca} /etc/pki/ca-trust/source/anchors/elbow-local-ca.pem\n                  \
         sudo update-ca-trust\n  \
         macOS           sudo security add-trusted-cert -d -r trustRoot \\\n                  \
         -k /Library/Keychains/System.keychain {ca}\n  \
         Windows         certutil -addstore -f ROOT {ca}\n  \
         Firefox         Settings, Certificates, Authorities, Import\n  \
         curl            curl --cacert {ca} ...\n",
        absolute(&authority.key()).display(),
        ca = ca.display(),
    );
    text
}

/// `2027-11-25`
fn day(time: SystemTime) -> String {
    let mut text = humantime::format_rfc3339_seconds(time).to_string();
    text.truncate("2027-11-25".len());
    text
}
