use super::*;

fn problems(text: &str, environment: &[(&str, &str)]) -> Vec<String> {
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    match parse("vernier.toml", text, environment) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(Problem::to_string).collect(),
    }
}

fn check(text: &str, expected: &str) {
    let expected: Vec<&str> = expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(problems(text, &[]), expected, "{text}");
}

#[test]
fn the_demonstration_is_a_configuration() {
    check(DEMO, "");
    let config = parse("demo", DEMO, []).expect("no problem");
    assert_eq!(config.bid.listen.port(), 8080);
    assert!(config.exchanges[0].user_ids_ours);
}

#[test]
fn the_documented_file_is_a_configuration() {
    check(include_str!("../../deploy/vernier.toml"), "");
}

#[test]
fn every_problem_is_listed_with_its_place() {
    check(
        "[bid]\nlisten = \"here\"\ncores = 0\npublc_url = \"x\"\n[rates]\nUSD = 2\nEUR = 0\n[[exchange]]\nname = \"Demo\"\nbillable = \"clik\"\n",
        "vernier.toml:2: bid.listen: must be an address and port such as 127.0.0.1:8080, not \"here\"
         vernier.toml:3: bid.cores: must be a whole number from 1 to 1024, not \"0\"
         vernier.toml:4: bid.publc_url: there is no such setting; did you mean bid.public_url?
         vernier.toml:6: rates.USD: must be named by an ISO 4217 code other than USD
         vernier.toml:7: rates.EUR: must be above 0 with at most nine decimals: US dollars for one unit, not \"0\"
         vernier.toml:9: exchange[0].name: must be 1 to 16 of a-z, 0-9 and -, not \"Demo\"
         vernier.toml:10: exchange[0].billable: must be one of burl, view, nurl, not \"clik\"",
    );
}

#[test]
fn nothing_follows_from_what_is_missing_or_no_toml() {
    assert_eq!(problems("[bid\n", &[]).len(), 1);
    check("", "configuration: exchange: there must be at least one [[exchange]]");
    check("[[exchange]]\nseat = \"a\"\n", "configuration: exchange[0].name: an exchange needs a name");
}

#[test]
fn addresses_that_cannot_be_used_are_problems() {
    let check = |text: &str, expected: &str| check(&format!("{DEMO}{text}"), expected);
    let url = "must be an http or https URL without a final slash, query, fragment or characters that need escaping";
    for wrong in ["ftp://x", "x", "", "http://", "http:///x", "https://x/", "https://x?a=1", "https://x#a", "http://x'"]
    {
        check(
            &format!("[bid]\npublic_url = \"{wrong}\""),
            &format!("vernier.toml:5: bid.public_url: {url}, not \"{wrong}\""),
        );
    }
    check("[bid]\npublic_url = \"https://bid.example.com:8443/eu\"", "");
    check("[data]\ndir = \"\"", "vernier.toml:5: data.dir: must name a directory, not \"\"");
    let each = "bid.listen and admin.listen must have a port each";
    check("[bid]\nlisten = \"127.0.0.1:8081\"", &format!("vernier.toml:5: bid.listen: {each}"));
    check(
        "[bid]\nlisten = \"127.0.0.1:1\"\n[admin]\nlisten = \"[::]:1\"",
        &format!("vernier.toml:7: admin.listen: {each}"),
    );
    check("[bid]\nlisten = \"127.0.0.1:1\"\n[admin]\nlisten = \"127.0.0.2:1\"", "");
    check("[bid]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"", "");
    let every = "is every address of the machine, so bid.public_url must say where exchanges reach it";
    for any in ["0.0.0.0:80", "[::]:80"] {
        check(&format!("[bid]\nlisten = \"{any}\""), &format!("vernier.toml:5: bid.listen: {every}"));
        check(&format!("[bid]\nlisten = \"{any}\"\npublic_url = \"https://x\""), "");
    }
}

#[test]
fn the_fee_of_an_exchange_is_a_share_of_media() {
    let exchange = |fee: &str| format!("[[exchange]]\nname = \"a\"\nfee = {fee}\n");
    let config = parse("demo", &exchange("\"2.5%\""), []).expect("no problem");
    assert_eq!(config.exchanges[0].fee_ppm, 25_000);
    for wrong in ["2.5", "-1%", "100.1%", "2.5 percent"] {
        let right = "must be a share of media from 0% to 100%, such as 2.5%";
        check(
            &exchange(&format!("\"{wrong}\"")),
            &format!("vernier.toml:3: exchange[0].fee: {right}, not \"{wrong}\""),
        );
    }
}

#[test]
fn contradictions_of_an_exchange_are_told_at_a_setting_of_theirs() {
    check(
        "[[exchange]]\nname = \"a\"\nsends_burl = false\n[[exchange]]\nname = \"a\"\nnetwork_allowance_ms = 100\n",
        "vernier.toml:3: exchange[0].sends_burl: the billable event is a notice that the exchange does not send
         vernier.toml:5: exchange[1].name: there is another exchange of this name
         vernier.toml:6: exchange[1].network_allowance_ms: the network allowance leaves no time of the default tmax",
    );
    check(
        "[[exchange]]\nname = \"a\"\ntmax_default_ms = 20\nseat = \"\"\nmacro_price = \"\"\nmacro_loss = \"<\"\n",
        "vernier.toml:3: exchange[0].tmax_default_ms: the network allowance leaves no time of the default tmax
         vernier.toml:4: exchange[0].seat: must name our seat, not \"\"
         vernier.toml:5: exchange[0].macro_price: must be the macro for the price, not \"\"
         vernier.toml:6: exchange[0].macro_loss: must be without characters that need escaping in markup, not \"<\"",
    );
}

#[test]
fn what_would_be_ignored_is_refused() {
    let check = |text: &str, expected: &str| check(&format!("{DEMO}{text}"), expected);
    check(
        "[profiles]\nredis_cluster = true\nredis_authority = \"Cargo.toml\"\n[kafka]\nmechanism = \"SCRAM-SHA-256\"\n",
        "vernier.toml:5: profiles.redis_cluster: is for Redis: profiles.redis is missing
         vernier.toml:6: profiles.redis_authority: is for TLS: every URL of profiles.redis must begin with rediss://
         vernier.toml:8: kafka.mechanism: this program was built without it: cargo build --release --features kafka-tls
         vernier.toml:8: kafka.mechanism: is for a user: kafka.username and kafka.password are missing",
    );
    let redis =
        |urls: &str| format!("[profiles]\nredis = [{urls}]\nredis_cluster = true\nredis_authority = \"Cargo.toml\"\n");
    let problem =
        "vernier.toml:7: profiles.redis_authority: is for TLS: every URL of profiles.redis must begin with rediss://";
    check(&redis("\"redis://h:1\", \"rediss://h:2\""), problem);
    check(&redis("\"rediss://h:1\", \"rediss://h:2\""), "");
}

#[test]
fn the_environment_goes_over_the_file() {
    let environment = [("VERNIER_BID_LISTEN".to_owned(), "127.0.0.1:9000".to_owned())];
    let config = parse("demo", DEMO, environment).expect("no problem");
    assert_eq!(config.bid.listen.port(), 9000);
    assert_eq!(
        problems(DEMO, &[("VERNIER_BID_LISTENS", "x"), ("HOME", "/")]),
        ["environment VERNIER_BID_LISTENS: bid.listens: there is no such setting; did you mean bid.listen?"]
    );
    assert_eq!(
        problems(&format!("{DEMO}[bid]\nlistens = \"y\""), &[("VERNIER_BID_LISTENS", "x")]),
        [
            "vernier.toml:5: bid.listens: there is no such setting; did you mean bid.listen?",
            "environment VERNIER_BID_LISTENS: bid.listens: there is no such setting; did you mean bid.listen?"
        ]
    );
    assert_eq!(
        problems(DEMO, &[("VERNIER_EXCHANGE_0_NAME", "x")]),
        ["environment VERNIER_EXCHANGE_0_NAME: exchanges are set in the file only"]
    );
    let rate = |text: &str, currency: &str| problems(text, &[(&format!("VERNIER_RATES_{currency}"), "1.08")]);
    assert_eq!(rate(&format!("{DEMO}[rates]\nEUR = 2"), "EUR"), Vec::<String>::new());
    assert_eq!(rate(DEMO, "EURO").len(), 1);
}

#[test]
fn secrets_are_sixteen_bytes() {
    let key = "000102030405060708090a0b0c0d0e0f";
    let text = format!("{DEMO}[secrets]\ntoken_keys = [\"2:{key}\", \"1:{key}\"]\nid_key = \"{key}\"\n");
    let secrets = parse("demo", &text, []).expect("no problem").secrets;
    assert_eq!(secrets.token_keys[0], (2, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]));
    for bad in ["1:00", "x", "1:zz0102030405060708090a0b0c0d0e0f", &format!("1:{key},1:{key}")] {
        assert_eq!(problems(&format!("{DEMO}[secrets]\ntoken_keys = [\"{bad}\"]"), &[]).len(), 1, "{bad}");
    }
}
