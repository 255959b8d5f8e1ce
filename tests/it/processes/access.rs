//! A Kafka that asks who its clients are, and lets them do what they may.

use load_tests::servers::kafka::{Access, Kafka};
use tokio::runtime::{Builder, Runtime};

use super::{Installation, bid, call, until_ready, until_told};
use crate::process::server_part;

#[cfg(feature = "kafka-tls")]
mod encrypted;

/// Another listener for the broker's talk with itself, and for clients this one.
const LISTENERS: &str = "
listeners=@PROTOCOL@://127.0.0.1:@KAFKA@,PLAINTEXT://127.0.0.1:@INSIDE@,CONTROLLER://127.0.0.1:@CONTROLLER@
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,@PROTOCOL@:@PROTOCOL@
advertised.listeners=@PROTOCOL@://127.0.0.1:@ADVERTISED@,PLAINTEXT://127.0.0.1:@INSIDE@
";

/// A Kafka that knows users, and processes that use it as one of them.
struct Guarded {
    installation: Installation,
    kafka: Kafka,
    /// That of the proxy before it.
    runtime: Runtime,
}

impl Guarded {
    fn start(protocol: &str, properties: &str, users: &[&str], settings: &[(&'static str, &str)]) -> Self {
        let mut installation = Installation::new();
        let properties = format!("{}{properties}\n", LISTENERS.replace("@PROTOCOL@", protocol));
        let users = users.iter().map(|user| (*user).to_owned()).collect();
        let access = Access { properties, users, ..Access::default() };
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
        let libraries = server_part("KAFKA_LIBS", concat!(env!("CARGO_MANIFEST_DIR"), "/target/services/kafka/libs"));
        let folder = installation.scratch.path().join("kafka");
        let kafka = runtime.block_on(Kafka::start(&libraries, folder, &access)).expect("a broker");
        installation.set("VERNIER_KAFKA_BROKERS", &kafka.address().to_string());
        settings.iter().for_each(|(setting, value)| installation.set(setting, value));
        Self { installation, kafka, runtime }
    }

    /// Lets the user `vernier` do this with what is named by the prefix of the installation.
    fn allow(&self, rights: &[&str], of: &str) {
        let server = self.kafka.inside().to_string();
        let allow = ["--bootstrap-server", &server, "--add", "--allow-principal", "User:vernier"];
        let named = ["--resource-pattern-type", "prefixed", of, &self.installation.prefix];
        let rights = rights.iter().flat_map(|right| ["--operation", right]);
        let arguments: Vec<&str> = allow.into_iter().chain(named).chain(rights).collect();
        let told = self.kafka.tool("org.apache.kafka.tools.AclCommand", &arguments);
        self.runtime.block_on(told).expect("the broker is told");
    }

    /// Campaigns, leases, a bid and its charge all go through the streams.
    fn check_used(&self) {
        let Self { installation, .. } = self;
        let [control, segments, ledger, bidder] =
            ["control", "segments", "ledger", "bidder"].map(|role| installation.start(role));
        installation.publish(&control);
        until_ready(&bidder);
        let users: Vec<String> = (0..20).map(|number| format!("visitor-{number}")).collect();
        installation.import(&segments, &users);
        let made = bid(&bidder, &users, 9.0);
        assert!(call(&bidder, &made, "burl", "2"));
        until_told(&ledger, "vernier_ledger_spent_total{currency=\"USD\"} 0.002");
        let outcomes = installation.events("outcomes");
        assert_eq!(outcomes.iter().filter(|outcome| outcome["kind"] == "charge").count(), 1);
    }

    /// With this setting it says why it does not start.
    fn check_refused(&mut self, setting: &'static str, value: &str, because: &str) {
        self.installation.set(setting, value);
        let output = self.installation.run(&["control"]);
        let said = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(because), "{said}");
    }
}

/// What the page for operators says that a user may do.
const TOPIC_RIGHTS: &[&str] = &["Create", "Describe", "DescribeConfigs", "Read", "Write"];
const TRANSACTION_RIGHTS: &[&str] = &["Describe", "Write"];
const GROUP_RIGHTS: &[&str] = &["Describe", "Read"];

#[test]
fn kafka_is_used_as_a_user_of_its_own() {
    let module = "org.apache.kafka.common.security.plain.PlainLoginModule required user_vernier=\"secret\";";
    let properties = format!(
        "sasl.enabled.mechanisms=PLAIN
        listener.name.sasl_plaintext.plain.sasl.jaas.config={module}
        authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
        super.users=User:ANONYMOUS"
    );
    let user = [("VERNIER_KAFKA_USERNAME", "vernier"), ("VERNIER_KAFKA_PASSWORD", "secret")];
    let mut guarded = Guarded::start("SASL_PLAINTEXT", &properties, &[], &user);
    guarded.check_refused("VERNIER_KAFKA_PASSWORD", "secret", "TopicAuthorizationFailed");
    guarded.allow(TOPIC_RIGHTS, "--topic");
    guarded.check_refused("VERNIER_KAFKA_PASSWORD", "secret", "Transactional Id authorization failed");
    guarded.allow(TRANSACTION_RIGHTS, "--transactional-id");
    guarded.allow(GROUP_RIGHTS, "--group");
    guarded.check_used();
    guarded.check_refused("VERNIER_KAFKA_PASSWORD", "wrong", "SASL authentication error");
}
