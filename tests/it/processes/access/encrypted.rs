//! A Kafka that is reached by TLS, in a program that was built with it.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use super::Guarded;

/// An authority and what it signed, in files.
struct Certificates {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Certificates {
    fn new(authority: &str) -> Self {
        let (folder, key) = (tempfile::tempdir().expect("a folder"), KeyPair::generate().expect("a key"));
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, authority);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate");
        let certificates = Self { folder, issuer: Issuer::new(params, key) };
        certificates.write("authority", &certificate.pem());
        certificates
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), text).expect("a file");
        self.path(name)
    }

    /// Files with a certificate for this machine and with its key.
    fn sign(&self, name: &str) -> [PathBuf; 2] {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("parameters");
        // OpenSSL takes a certificate that has the name of its authority for the authority's own.
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate").pem();
        [self.write(name, &certificate), self.write(&format!("{name}.key"), &key.serialize_pem())]
    }

    /// The settings of a broker that asks clients for a certificate, or not.
    fn properties(&self, clients: &str) -> String {
        let text = |path: &Path| std::fs::read_to_string(path).expect("it was written");
        let store: String = self.sign("broker").iter().rev().map(|path| text(path)).collect();
        format!(
            "ssl.keystore.type=PEM\nssl.keystore.location={}\n\
             ssl.truststore.type=PEM\nssl.truststore.location={}\nssl.client.auth={clients}\n",
            self.write("store", &store).display(),
            self.path("authority").display(),
        )
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

#[test]
fn kafka_is_used_by_certificate() {
    let certificates = Certificates::new("ours");
    let (authority, [certificate, key]) = (certificates.path("authority"), certificates.sign("vernier"));
    let settings = [
        ("VERNIER_KAFKA_TLS", "true"),
        ("VERNIER_KAFKA_AUTHORITY", text(&authority)),
        ("VERNIER_KAFKA_CERTIFICATE", text(&certificate)),
        ("VERNIER_KAFKA_KEY", text(&key)),
    ];
    let mut guarded = Guarded::start("SSL", &certificates.properties("required"), &[], &settings);
    guarded.check_used();
    let other = Certificates::new("another");
    guarded.check_refused("VERNIER_KAFKA_AUTHORITY", text(&other.path("authority")), "certificate verify failed");
}

#[test]
fn kafka_is_used_encrypted_with_a_hashed_password() {
    let certificates = Certificates::new("ours");
    let authority = certificates.path("authority");
    let settings = [
        ("VERNIER_KAFKA_TLS", "true"),
        ("VERNIER_KAFKA_AUTHORITY", text(&authority)),
        ("VERNIER_KAFKA_MECHANISM", "SCRAM-SHA-512"),
        ("VERNIER_KAFKA_USERNAME", "vernier"),
        ("VERNIER_KAFKA_PASSWORD", "secret"),
    ];
    let properties = format!(
        "sasl.enabled.mechanisms=SCRAM-SHA-512
        listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
        {}",
        certificates.properties("none")
    );
    let users = ["SCRAM-SHA-512=[name=vernier,password=secret]"];
    let mut guarded = Guarded::start("SASL_SSL", &properties, &users, &settings);
    guarded.check_used();
    guarded.check_refused("VERNIER_KAFKA_PASSWORD", "wrong", "SASL authentication error");
}
