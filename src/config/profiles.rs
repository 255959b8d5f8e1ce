//! `profiles.*`: where profiles are kept.

use std::time::Duration;

use segment_store::{RedisOptions, is_redis_url};

use super::reader::{Reader, number, truth};

/// Redis, where its addresses are given; else files of this machine.
pub(super) fn redis(r: &mut Reader) -> Option<RedisOptions> {
    let urls = r.get("profiles.redis", Vec::new(), |text| {
        let urls: Vec<String> = text.split(',').map(|url| url.trim().to_owned()).collect();
        let right = urls.iter().all(|url| is_redis_url(url));
        if right { Ok(urls) } else { Err("must be redis:// or rediss:// URLs".to_owned()) }
    });
    let options = RedisOptions {
        urls,
        cluster: r.get("profiles.redis_cluster", false, truth),
        authority: r.find("profiles.redis_authority", |path| {
            std::fs::read(path).map_err(|problem| format!("cannot be read: {problem}"))
        }),
        lookup_timeout: Duration::from_millis(r.get("profiles.lookup_timeout_ms", 10, number(1, 1_000))),
    };
    if options.cluster && options.urls.is_empty() {
        r.refuse("profiles.redis_cluster", "is for Redis: profiles.redis is missing");
    }
    // Some of the clients would leave the encryption out, and not say so.
    let encrypted = !options.urls.is_empty() && options.urls.iter().all(|url| url.starts_with("rediss://"));
    if r.is_given("profiles.redis_authority") && !encrypted {
        r.refuse("profiles.redis_authority", "is for TLS: every URL of profiles.redis must begin with rediss://");
    }
    (!options.urls.is_empty()).then_some(options)
}
