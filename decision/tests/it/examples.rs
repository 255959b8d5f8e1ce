//! Decisions by example: read these to know the rules.

use decision::limits::ELIGIBLE_LISTED_MAX;

use crate::language::{check, check_listed, check_why};

#[test]
fn the_dearest_campaign_that_matches_bids() {
    let world = "campaign 1 cpm 2.00
                 campaign 2 cpm 3.00 for segment:7
                 campaign 3 cpm 4.00 for country:FRA";
    check(world, "person 7 8 country DEU", "bid 2 at 3.00");
    check(world, "person 8 country DEU", "bid 1 at 2.00");
    check(world, "person 7 country FRA", "bid 3 at 4.00");
}

#[test]
fn targeting_nests() {
    let world = "campaign 1 cpm 1.00 for all(any(segment:7,segment:8@60),none(country:FRA,device:ctv),size:300x250)";
    check(world, "person 7 country DEU", "bid 1 at 1.00");
    check(world, "person 8@60 country DEU", "bid 1 at 1.00");
    check(world, "person 8@59 country DEU", "no_eligible_campaign");
    check(world, "person 7 country FRA", "no_eligible_campaign");
    check(world, "person 7 on ctv", "no_eligible_campaign");
    check(world, "person 7", "bid 1 at 1.00");
    check("campaign 1 cpm 1.00 for any()", "person 7", "no_eligible_campaign");
    check("campaign 1 cpm 1.00 for none(none(region:DEU-BY))", "country DEU region BY", "bid 1 at 1.00");
    check("campaign 1 cpm 1.00 for region:DEU-BY", "country AUT region BY", "no_eligible_campaign");
    check("campaign 1 cpm 1.00 for none(region:DEU-BY)", "region BY", "bid 1 at 1.00");
    check("campaign 1 cpm 1.00 for none(segment:7)", "person 7<0", "bid 1 at 1.00");
    check("campaign 1 cpm 1.00 for exchange:demo", "via other", "no_eligible_campaign");
    check("campaign 1 cpm 1.00 for none(size:728x90)", "imp 300x250,728x90", "no_eligible_campaign");
}

#[test]
fn the_first_priced_segment_that_the_person_is_in_sets_the_price() {
    let world = "campaign 1 cpm 2.00 min 1.00 max 10.00 price 7:5.00 price 8:x1.5 price 9:x100";
    check(world, "person", "bid 1 at 2.00");
    check(world, "person 7 8", "bid 1 at 5.00 for segment 7");
    check(world, "person 8 9", "bid 1 at 3.00 for segment 8");
    check(world, "person 9", "bid 1 at 10.00 for segment 9");
    check(world, "person 7<0 8<1", "bid 1 at 3.00 for segment 8");
}

#[test]
fn the_limits_of_the_campaign_hold_whatever_those_of_the_segment_say() {
    check("campaign 1 cpm 2.00 price 7:1.00:3.00:4.00", "person 7", "bid 1 at 3.00 for segment 7");
    check("campaign 1 cpm 2.00 price 7:9.00:3.00:4.00", "person 7", "bid 1 at 4.00 for segment 7");
    check("campaign 1 cpm 2.00 max 2.50 price 7:9.00:3.00:4.00", "person 7", "bid 1 at 2.50 for segment 7");
    check("campaign 1 cpm 2.00 min 5.00 price 7:9.00:3.00:4.00", "person 7", "bid 1 at 5.00 for segment 7");
}

#[test]
fn pacing_multiplies_last_and_goes_no_lower_than_the_limits() {
    check("campaign 1 cpm 2.00 pace 0.25", "person", "bid 1 at 0.50");
    check("campaign 1 cpm 2.00 pace 0.25", "person imp 300x250 floor 0.51", "below_floor");
    check("campaign 1 cpm 9.00 max 2.00 pace 0.5", "person", "bid 1 at 1.00");
    check("campaign 1 cpm 2.00 price 7:9.00:3.00:4.00 pace 0.80", "person 7", "bid 1 at 3.20 for segment 7");
    // At its least price it bids in proportion to how far pacing goes below it: here always, and never.
    check("campaign 1 cpm 2.00 min 1.99 pace 0.99", "person", "bid 1 at 1.99");
    check("campaign 1 cpm 2.00 min 2.00 pace 0.000001", "person", "paced");
    check("campaign 1 cpm 2.00 pace 0.5\ncampaign 2 cpm 1.50", "person", "bid 2 at 1.50");
}

#[test]
fn what_is_offered_is_what_margin_data_and_the_exchange_leave_of_the_price() {
    check("campaign 1 cpm 2.00 margin 0.15", "person", "bid 1 at 1.70");
    check("campaign 1 cpm 2.00 margin 0.15", "person fee 0.025", "bid 1 at 1.658536");
    let world = "campaign 1 cpm 1.00 margin 0.15 price 7:2.00+0.40";
    check(world, "person 7 fee 0.025", "bid 1 at 1.268292 for segment 7");
    check(world, "person 8 fee 0.025", "bid 1 at 0.829268");
    // Limits and pacing are of the price, the floor is of what is offered, and so is who bids most.
    check("campaign 1 cpm 9.00 max 2.00 margin 0.5", "person", "bid 1 at 1.00");
    check("campaign 1 cpm 9.00 min 4.00 pace 0.1 margin 0.5", "person imp 300x250 floor 2.01", "below_floor");
    check("campaign 1 cpm 2.00 pace 0.5 margin 0.5", "person imp 300x250 floor 0.50", "bid 1 at 0.50");
    check("campaign 1 cpm 2.00 pace 0.5 margin 0.5", "person imp 300x250 floor 0.51", "below_floor");
    check("campaign 1 cpm 2.00 price 7:0.40+0.40", "person 7", "below_floor");
    check("campaign 1 cpm 2.00 margin 0.5\ncampaign 2 cpm 1.50", "person", "bid 2 at 1.50");
    check("rate EUR 1.10\ncampaign 1 cpm 2.00 currency EUR margin 0.15", "person", "bid 1 at 1.87");
    // The money set aside is the whole price.
    check("campaign 1 cpm 2.00 margin 0.15 money 2.00", "person", "bid 1 at 1.70");
    check("campaign 1 cpm 2.00 margin 0.15 money 1.999999", "person", "no_lease");
}

#[test]
fn without_a_price_there_is_no_bid() {
    check("campaign 1 price 7:5.00", "person 8", "no_price");
    check("campaign 1 cpm 0", "person 8", "below_floor");
}

#[test]
fn a_bid_reaches_the_floor_in_the_currency_of_the_bid() {
    check("campaign 1 cpm 2.00", "imp 300x250 floor 2.00", "bid 1 at 2.00");
    check("campaign 1 cpm 2.00", "imp 300x250 floor 2.000001", "below_floor");
    let world = "rate EUR 1.25
                 rate JPY 0.0065
                 campaign 1 cpm 2.00 currency EUR";
    check(world, "imp 300x250", "bid 1 at 2.50");
    check(world, "in CHF,EUR,USD imp 300x250 floor 2.50", "bid 1 at 2.00 EUR");
    check(world, "imp 300x250 floor 2.00EUR", "bid 1 at 2.50");
    check(world, "imp 300x250 floor 2.01EUR", "below_floor");
    check(world, "in JPY imp 300x250 floor 1.99EUR", "bid 1 at 384.615384 JPY");
    // 2.00 EUR are 384.6153846… JPY: floors are rounded up and prices down.
    check(world, "in JPY imp 300x250 floor 2.00EUR", "below_floor");
    check(world, "in CHF", "currency");
    check(world, "imp 300x250 floor 1.00CHF", "floor_currency");
    check(world, "imp 300x250 floor 1.00?", "floor_currency");
    check("campaign 1 cpm 2.00 currency EUR", "imp 300x250", "no_eligible_campaign");
}

#[test]
fn what_is_no_open_banner_gets_no_bid() {
    check(
        "campaign 1 cpm 2.00",
        "imp none imp 300x250 private imp 300x250",
        "no_banner\nprivate_auction\nbid 1 at 2.00",
    );
}

#[test]
fn a_campaign_bids_in_its_flight_and_until_it_is_stopped() {
    check("campaign 1 cpm 2.00 flight 0..1", "person", "bid 1 at 2.00");
    check("campaign 1 cpm 2.00 flight -1..0", "person", "not_in_flight");
    check("campaign 1 cpm 2.00 flight 1..2", "person", "not_in_flight");
    check("campaign 1 cpm 2.00 stopped", "person", "stopped");
}

#[test]
fn publishers_block_names_and_all_below_them() {
    let world = "campaign 1 cpm 2.00 domain shop.example category IAB1-3";
    check(world, "blocks shop.example", "blocked_domain");
    check(world, "blocks SHOP.Example", "blocked_domain");
    check(world, "blocks www.shop.example blocks op.example", "bid 1 at 2.00");
    check("campaign 1 cpm 2.00 domain a.shop.example", "blocks shop.example", "blocked_domain");
    check(world, "blocks IAB1", "blocked_category");
    check(world, "blocks iab1-3", "blocked_category");
    check(world, "blocks IAB1-30 blocks IAB", "bid 1 at 2.00");
}

#[test]
fn the_creative_fits_the_size_and_its_variant_the_person() {
    let world = "campaign 1 cpm 2.00 creative 10:300x250:1@7+8:2@9:3 creative 11:728x90:1";
    check(world, "person 8 9", "bid 1 at 2.00 creative 10 variant 1");
    check(world, "person 9", "bid 1 at 2.00 creative 10 variant 2");
    check(world, "person", "bid 1 at 2.00 creative 10 variant 3");
    check(world, "person imp 728x90,970x250", "bid 1 at 2.00 creative 11");
    check(world, "person imp 970x250", "no_eligible_campaign");
    check("campaign 1 cpm 2.00 creative 10:300x250:1@7", "person 8", "no_variant");
}

#[test]
fn creatives_of_one_size_take_turns() {
    let world = "campaign 1 cpm 2.00 creative 10:300x250 creative 11:300x250";
    let turns = "bid 1 at 2.00 creative 10\nbid 1 at 2.00 creative 11\nbid 1 at 2.00 creative 10";
    check(world, "imp 300x250 imp 300x250 imp 300x250", turns);
}

#[test]
fn nothing_is_loaded_over_http_where_https_is_required() {
    let world = "campaign 1 cpm 2.00 creative 10:300x250:1@7!:2";
    check(world, "person 7 imp 300x250", "bid 1 at 2.00 variant 1");
    check(world, "person 7 imp 300x250 secure", "bid 1 at 2.00 variant 2");
    check("campaign 1 cpm 2.00 creative 10:300x250:1!", "imp 300x250 secure", "not_secure");
}

#[test]
fn frequency_caps_count_rolling_windows() {
    let world = "campaign 1 cpm 2.00 cap 2/3600 cap 1/60";
    check(world, "saw c1:60", "bid 1 at 2.00");
    check(world, "saw c1:59", "campaign_cap");
    check(world, "saw c1:3599 saw c1:61", "campaign_cap");
    check(world, "saw c1:3600 saw c1:61", "bid 1 at 2.00");
    check(world, "saw c2:1 saw k1:1", "bid 1 at 2.00");
    check("campaign 1 cpm 2.00 creative-cap 1/60", "saw k10:1", "creative_cap");
    check(
        "campaign 1 cpm 2.00 creative-cap 1/60 creative 10:300x250 creative 11:300x250",
        "saw k10:1",
        "bid 1 at 2.00 creative 11",
    );
}

#[test]
fn a_cap_on_the_advertiser_counts_all_of_its_campaigns() {
    let world = "campaign 1 cpm 2.00 of 9 advertiser-cap 2/3600
                 campaign 2 cpm 1.00 of 9 money 1.00
                 campaign 3 cpm 0.50 of 8 advertiser-cap 1/60";
    check(world, "saw a9:1 saw a9:3600 saw c1:1 saw c1:2", "bid 1 at 2.00");
    check(world, "saw a9:1 saw a9:3599", "bid 2 at 1.00");
    check_why(world, "saw a9:1 saw a9:2", "1: advertiser_cap\n2: bid\n3: outbid");
    check(world, "saw a9:1 imp 300x250 imp 300x250", "bid 1 at 2.00\nbid 2 at 1.00");
    let both = "campaign 1 cpm 2.00 of 9 advertiser-cap 2/60 money 2.00
                campaign 2 cpm 1.00 of 9 advertiser-cap 2/60";
    check(both, "imp 300x250 imp 300x250 imp 300x250", "bid 1 at 2.00\nbid 2 at 1.00\nadvertiser_cap");
}

#[test]
fn a_cap_on_segments_counts_what_the_price_of_each_bought() {
    let world = "campaign 1 cpm 2.00 price 7:5.00 price 8:4.00 segment-cap 1/60";
    check(world, "person 7 8 saw s8:1", "bid 1 at 5.00 for segment 7");
    check(world, "person 7 8 saw s7:1", "segment_cap");
    check(world, "person 7 8 saw s7:60", "bid 1 at 5.00 for segment 7");
    check(world, "person 8 saw s7:1", "bid 1 at 4.00 for segment 8");
    check(world, "person saw s7:1 saw s8:1", "bid 1 at 2.00");
    check("campaign 1 price 7:5.00 segment-cap 1/60", "person saw s7:1", "no_price");
    let two = "campaign 1 price 7:5.00 segment-cap 1/60 money 5.00
               campaign 2 price 7:4.00 segment-cap 2/60
               campaign 3 cpm 1.00";
    check(
        two,
        "person 7 imp 300x250 imp 300x250 imp 300x250",
        "bid 1 at 5.00 for segment 7\nbid 2 at 4.00 for segment 7\nbid 3 at 1.00",
    );
}

#[test]
fn ghost_bids_count_for_the_caps_of_their_own_campaign_while_the_person_is_held_out() {
    let world = "campaign 1 cpm 3.00 of 9 holdout 1 cap 2/60
                 campaign 2 cpm 2.00 of 9 cap 1/60";
    check(world, "saw g1:59", "ghost 1 at 3.00, bid 2 at 2.00");
    check(world, "saw g1:59 saw g1:60", "ghost 1 at 3.00, bid 2 at 2.00");
    check(world, "saw g1:59 saw g1:1 saw g2:1", "bid 2 at 2.00");
    check(world, "saw g1:59 imp 300x250 imp 300x250", "ghost 1 at 3.00, bid 2 at 2.00\ncampaign_cap");
    check("campaign 1 cpm 3.00 holdout 0 cap 1/60", "saw g1:1", "bid 1 at 3.00");
    let creative = "campaign 1 cpm 3.00 holdout 1 creative-cap 1/60 creative 10:300x250 creative 11:300x250";
    check(creative, "saw g1k10:1", "ghost 1 at 3.00 creative 11, held_out");
    check(creative, "saw g1k10:1 saw g1k11:1", "creative_cap");
    let segment = "campaign 1 price 7:3.00 holdout 1 segment-cap 2/60";
    check(segment, "person 7 saw s7:1 saw g2s7:1 saw g1s8:1", "ghost 1 at 3.00 for segment 7, held_out");
    check(segment, "person 7 saw s7:1 saw g1s7:1", "segment_cap");
    // What other campaigns of the advertiser have shown counts with the ghost bids of this one, but not the other way round.
    let advertiser = "campaign 1 cpm 3.00 of 9 holdout 1 advertiser-cap 2/60
                      campaign 2 cpm 2.00 of 9 advertiser-cap 2/60";
    check(advertiser, "saw a9:1", "ghost 1 at 3.00, bid 2 at 2.00");
    check(advertiser, "saw a9:1 saw g1:1", "bid 2 at 2.00");
}

#[test]
fn bids_of_the_same_request_count_for_caps() {
    check("campaign 1 cpm 2.00 cap 1/60", "imp 300x250 imp 300x250", "bid 1 at 2.00\ncampaign_cap");
    check("campaign 1 cpm 2.00 creative-cap 1/60", "imp 300x250 imp 300x250", "bid 1 at 2.00\ncreative_cap");
}

#[test]
fn of_an_unknown_person_nothing_is_assumed_unless_the_campaign_says_so() {
    check("campaign 1 cpm 2.00 for country:DEU", "unknown country DEU", "bid 1 at 2.00");
    check("campaign 1 cpm 2.00 cap 1/60", "unknown", "audience_unknown");
    check("campaign 1 cpm 2.00 for segment:7", "unknown", "audience_unknown");
    let bids = "campaign 1 cpm 2.00 price 7:5.00 for segment:7 cap 1/60 unknown-bids creative 10:300x250:1@7:2";
    check(bids, "unknown", "bid 1 at 2.00 variant 2");
    check(bids, "unknown imp 300x250 imp 300x250", "bid 1 at 2.00 variant 2\ncampaign_cap");
    check("campaign 1 price 7:5.00 for segment:7 unknown-bids", "unknown", "no_price");
    check("campaign 1 cpm 2.00 for any(segment:7,country:DEU)", "unknown country DEU", "bid 1 at 2.00");
    check("campaign 1 cpm 2.00 for any(segment:7,country:DEU)", "unknown country FRA", "audience_unknown");
}

#[test]
fn a_campaign_that_excludes_a_segment_never_bids_for_an_unknown_person() {
    check("campaign 1 cpm 2.00 for none(segment:7) unknown-bids", "unknown", "audience_unknown");
    check("campaign 1 cpm 2.00 for none(none(none(any(segment:7)))) unknown-bids", "unknown", "audience_unknown");
    check(
        "campaign 1 cpm 2.00 for any(country:DEU,none(segment:7)) unknown-bids",
        "unknown country DEU",
        "audience_unknown",
    );
    check("campaign 1 cpm 2.00 for none(none(segment:7)) unknown-bids", "unknown", "bid 1 at 2.00");
}

#[test]
fn who_is_held_out_gets_a_ghost_and_the_next_best_bids() {
    let world = "campaign 1 cpm 3.00 holdout 1 cap 1/60 money 0
                 campaign 2 cpm 2.00
                 campaign 3 cpm 1.00 holdout 1";
    check(world, "person", "ghost 1 at 3.00, bid 2 at 2.00");
    check(world, "keyless imp 300x250 floor 2.50", "no_lease");
    check(world, "imp 300x250 floor 2.50 imp 300x250 floor 2.50", "ghost 1 at 3.00, held_out\nbelow_floor");
    check("campaign 1 cpm 3.00 holdout 0", "person", "bid 1 at 3.00");
    check("campaign 1 cpm 3.00 holdout 1", "unknown", "bid 1 at 3.00");
}

#[test]
fn money_is_set_aside_last_and_in_the_currency_of_the_campaign() {
    let world = "rate EUR 2
                 campaign 1 cpm 3.00 money 2.99
                 campaign 2 cpm 1.00 currency EUR money 1.00";
    check(world, "imp 300x250", "bid 2 at 2.00");
    check(world, "imp 300x250 imp 300x250", "bid 2 at 2.00\nno_lease");
}

#[test]
fn of_very_many_that_compete_the_bid_is_listed() {
    let campaign = |id| format!("campaign {id} cpm {id} max 200");
    let world: Vec<String> = (1..=100).map(campaign).collect();
    check_listed(&world.join("\n"), "person", ELIGIBLE_LISTED_MAX, 100);
    check_listed("campaign 1 cpm 1.00\ncampaign 2 cpm 2.00\ncampaign 3 cpm 3.00 money 0", "person", 3, 3);
}

#[test]
fn the_best_bids_however_many_cannot() {
    let campaign = |id: u32| format!("campaign {id} cpm {id} money {}", if id == 50 { 50 } else { 0 });
    let world: Vec<String> = (1..=100).map(campaign).collect();
    check(&world.join("\n"), "person", "bid 50 at 50.00");
}

#[test]
fn every_campaign_is_told_why() {
    let world = "campaign 1 cpm 1.00
                 campaign 2 cpm 2.00
                 campaign 3 cpm 3.00 for all(country:FRA,any(segment:7,segment:8@50),none(device:phone))
                 campaign 4 cpm 4.00 creative 40:728x90
                 campaign 5 cpm 5.00 holdout 1
                 campaign 6 cpm 6.00 money 0
                 campaign 7 cpm 7.00 for country:FRA stopped";
    let why = "1: outbid
               2: bid
               3: targeting [Country(\"FRA\")] [Segment { segment: SegmentId(7), confidence_min: 0 }] \
                  [Segment { segment: SegmentId(8), confidence_min: 50 }] [not Device(Phone)]
               4: no_creative_of_size
               5: held_out
               6: no_lease
               7: stopped";
    check_why(world, "person on phone country DEU", &why.replace("                  [", "["));
    check_why("campaign 1 cpm 1.00", "imp none", "1: no_banner");
    check_why(
        "campaign 1 cpm 1.00 for all(segment:7,country:FRA)",
        "unknown country DEU",
        "1: targeting [Country(\"FRA\")]",
    );
}
