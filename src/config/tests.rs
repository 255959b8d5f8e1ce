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
         vernier.toml:9: exchange[0].name: an exchange needs a name
         vernier.toml:10: exchange[0].billable: must be one of burl, view, nurl, not \"clik\"
         configuration: exchange: there must be at least one [[exchange]]",
    );
}

#[test]
fn what_is_no_toml_is_a_problem() {
    assert_eq!(problems("[bid\n", &[]).len(), 2);
}

#[test]
fn contradictions_of_an_exchange_are_problems() {
    check(
        "[[exchange]]\nname = \"a\"\nsends_burl = false\n[[exchange]]\nname = \"a\"\n",
        "vernier.toml:2: exchange[0].name: the billable event is a notice that the exchange does not send
         vernier.toml:5: exchange[1].name: there is another exchange of this name",
    );
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
