//! How a Redis is reached: encrypted, as a user of its own, and what it must not be set to.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use segment_store::{RedisOptions, RedisProfiles, StoreError};

use crate::contract::{fill, judge};
use crate::redis::open;
use crate::redis_faults::{options, send};
use crate::server::{Server, free_ports};

/// What the page for operators says that a user needs.
const RIGHTS: &str = "+info +get +unlink +function|load +fcall +set +expiretime";

/// How many of them are for commands that are sent; the others are for the function, which runs as the user.
const OWN: usize = 5;

/// Why a Redis is refused.
async fn refusal(options: RedisOptions) -> String {
    match RedisProfiles::open(options).await {
        Err(StoreError::Unavailable(why)) => why.to_string(),
        other => panic!("{other:?}"),
    }
}

async fn check_refused(options: RedisOptions, because: &str) {
    let why = refusal(options).await;

    assert!(why.contains(because), "{why}");
}

/// A Redis with a user `vernier` that may do this.
async fn guarded(rights: &str) -> (Server, RedisOptions) {
    let server = Server::start(&[]);
    send(&server, &format!("ACL SETUSER vernier on >secret ~* {rights}")).await;
    let options = as_user("vernier:secret", &server);
    (server, options)
}

fn as_user(user: &str, server: &Server) -> RedisOptions {
    RedisOptions { urls: vec![format!("redis://{user}@127.0.0.1:{}", server.port)], ..options(server) }
}

#[tokio::test]
async fn a_user_with_the_rights_that_are_needed_is_enough() {
    let (_server, options) = guarded(RIGHTS).await;
    let profiles = open(options).await;
    fill(&profiles).await;
    judge(&profiles).await;
}

#[tokio::test]
async fn in_a_cluster_such_a_user_also_needs_its_slots() {
    let servers = Server::cluster();
    for server in &servers {
        send(server, &format!("ACL SETUSER vernier on >secret ~* {RIGHTS} +cluster|slots")).await;
    }
    let profiles = open(RedisOptions { cluster: true, ..as_user("vernier:secret", &servers[0]) }).await;
    fill(&profiles).await;
    judge(&profiles).await;
}

#[tokio::test]
async fn a_right_that_is_missing_is_told_at_the_start() {
    for (at, missing) in RIGHTS.split(' ').enumerate() {
        let rights: Vec<_> = RIGHTS.split(' ').filter(|right| *right != missing).collect();
        let (_server, options) = guarded(&rights.join(" ")).await;
        // Of what the function lacks Redis tells no more than that.
        let name = &missing[1..];
        let own = format!("no permissions to run the '{name}' command");
        check_refused(options, if at < OWN { &own } else { "can't run this command" }).await;
    }
}

#[tokio::test]
async fn a_wrong_password_is_told_at_the_start() {
    let (server, _) = guarded(RIGHTS).await;
    check_refused(as_user("vernier:wrong", &server), "Password authentication failed").await;
}

#[tokio::test]
async fn a_redis_that_forgets_is_refused() {
    let server = Server::start(&["--maxmemory-policy", "allkeys-lru"]);
    check_refused(options(&server), "maxmemory-policy is allkeys-lru: it must be noeviction").await;
}

/// An authority, and its certificate (PEM).
fn authority() -> (Issuer<'static, KeyPair>, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    (Issuer::new(params, key), certificate)
}

/// Writes a certificate for this machine and its key into `folder`.
fn certify(authority: &Issuer<'static, KeyPair>, folder: &Path) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    std::fs::write(folder.join("certificate"), certificate.pem()).unwrap();
    std::fs::write(folder.join("key"), key.serialize_pem()).unwrap();
}

#[tokio::test]
async fn a_redis_is_reached_encrypted_where_its_authority_is_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let (issuer, trusted) = authority();
    certify(&issuer, folder.path());
    std::fs::write(folder.path().join("authority"), &trusted).unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let ([port], certificate, key, own) = (free_ports(), path("certificate"), path("key"), path("authority"));
    let files = ["--tls-cert-file", &certificate, "--tls-key-file", &key, "--tls-ca-cert-file", &own];
    let server = Server::start(&[&["--tls-port", &port.to_string(), "--tls-auth-clients", "no"], &files[..]].concat());
    let encrypted = |authority: Option<String>| RedisOptions {
        urls: vec![format!("rediss://127.0.0.1:{port}")],
        authority: authority.map(String::into_bytes),
        ..options(&server)
    };
    let profiles = open(encrypted(Some(trusted))).await;
    fill(&profiles).await;
    judge(&profiles).await;
    let (_, other) = authority();
    for untrusted in [Some(other), None] {
        check_refused(encrypted(untrusted), "certificate").await;
    }
    check_refused(encrypted(Some("no certificate".to_owned())), "certificate").await;
}
