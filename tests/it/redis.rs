//! Profiles on a real Redis and a real cluster: what one process writes, the next one knows.

use super::process::{Vernier, bid_request, result, servers, until, write};

fn configuration(urls: Vec<String>, cluster: bool) -> String {
    let urls: Vec<String> = urls.iter().map(|url| format!("\"{url}\"")).collect();
    let urls = urls.join(", ");
    format!(
        "profiles.redis = [{urls}]
profiles.redis_cluster = {cluster}
profiles.lookup_timeout_ms = 1000
[[exchange]]
name = \"demo\"
user_ids = \"ours\"
"
    )
}

/// The reason why the campaign for the cart does not bid for `user`, or `bid`.
fn of_cart(vernier: &Vernier, user: &str) -> String {
    let request = String::from_utf8(bid_request(user)).expect("text");
    let request = write(vernier.data.path(), "r.json", &request);
    result(&vernier.ask(&["explain", "--request", &request]), "cart-recovery").to_owned()
}

fn check(configuration: &str) {
    let vernier = Vernier::up_with(configuration);
    let nobody = rand::random::<u64>();
    let users: Vec<String> = (0..40).map(|number| format!("{nobody:x}-{number}")).collect();
    let line = |user: &String| {
        format!("{{\"user\":\"{user}\",\"segment\":\"cart-24h/shoes/low\",\"until\":\"2036-01-01T00:00:00Z\"}}\n")
    };
    let file = write(vernier.data.path(), "people.jsonl", &users.iter().map(line).collect::<String>());
    assert_ne!(of_cart(&vernier, &users[0]), "bid", "nobody is known before");
    vernier.ask(&["segments", "import", &file]);
    let mut treated = users.iter().filter(|user| of_cart(&vernier, user) == "bid");
    let (user, other) = treated.next().zip(treated.next()).expect("few are held out");
    assert_eq!(vernier.price(user), 3.25);
    // Caps are counted behind the answer.
    until(
        || {
            of_cart(&vernier, user) != "bid" || {
                vernier.post_bid("demo", &bid_request(user));
                false
            }
        },
        &|| user.clone(),
    );
    let capped = of_cart(&vernier, user);
    assert!(capped.ends_with("_cap"), "{capped}");

    // Another process with nothing on its own disk.
    drop(treated);
    let mut vernier = vernier;
    vernier.terminate();
    let another = Vernier::up_with(configuration);
    assert_eq!(of_cart(&another, user), capped);
    assert_eq!(of_cart(&another, other), "bid");
}

#[test]
fn processes_share_what_is_known_in_one_redis() {
    let urls = servers("REDIS_URL", "redis://127.0.0.1:17379,redis://127.0.0.1:17380");
    check(&configuration(urls, false));
}

#[test]
fn processes_share_what_is_known_in_a_cluster() {
    let default = "redis://127.0.0.1:17381,redis://127.0.0.1:17382,redis://127.0.0.1:17383";
    check(&configuration(servers("REDIS_CLUSTER_URL", default), true));
}
