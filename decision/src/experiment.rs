//! Which side of a campaign's experiment a person is on.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::campaign::Experiment;
use crate::ids::PersonKey;
use crate::outcome::Arm;

/// Keeps this hash apart from every other use of the salt or the key. Fixed forever: a change would move people between
/// the arms of running experiments.
const SEED: u64 = 0x7665_726e_6965_7231;

/// The arm of `person`: held out where XXH3-64 of salt and key, taken as a fraction of its range, is below the share
/// held out. [`Arm::None`] without an experiment or without a key to split by (none at all, or all zeros).
pub fn arm(experiment: Option<&Experiment>, person: Option<PersonKey>) -> Arm {
    let (Some(experiment), Some(PersonKey(key))) = (experiment, person.filter(|key| *key != PersonKey::default()))
    else {
        return Arm::None;
    };
    let mut salted = [0; 24];
    salted[..8].copy_from_slice(&experiment.salt.to_le_bytes());
    salted[8..].copy_from_slice(&key);
    let hash = xxh3_64_with_seed(&salted, SEED);
    let ppm = (u128::from(hash) * 1_000_000) >> 64;
    if ppm < u128::from(experiment.holdout_ppm) { Arm::HeldOut } else { Arm::Treated }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;

    fn held_out(salt: u64, holdout_ppm: u32, people: u64) -> usize {
        let experiment = Experiment { name: String::new(), salt, holdout_ppm };
        let key = |n: u64| PersonKey((u128::from(n) * 0x9e37_79b9_7f4a_7c15).to_le_bytes());
        (1..=people).filter(|n| arm(Some(&experiment), Some(key(*n))) == Arm::HeldOut).count()
    }

    #[test]
    fn the_share_held_out_is_what_was_asked_for() {
        assert_eq!(held_out(1, 0, 1_000), 0);
        assert_eq!(held_out(1, 1_000_000, 1_000), 1_000);
        // Four standard deviations of 100,000 draws are below 400 for every share.
        for (salt, ppm, expected) in [(1, 100_000, 10_000_usize), (2, 100_000, 10_000), (3, 500_000, 50_000)] {
            assert!(held_out(salt, ppm, 100_000).abs_diff(expected) < 640, "salt {salt}");
        }
    }

    #[test]
    fn salts_split_independently() {
        let experiment = |salt| Experiment { name: String::new(), salt, holdout_ppm: 500_000 };
        let (one, two) = (experiment(1), experiment(2));
        let both = (1..=10_000_u128)
            .map(|n| Some(PersonKey(n.to_le_bytes())))
            .filter(|person| arm(Some(&one), *person) == Arm::HeldOut && arm(Some(&two), *person) == Arm::HeldOut)
            .count();
        assert!(both.abs_diff(2_500) < 180, "{both} of 10,000 are held out by both halves");
    }

    #[test]
    fn who_has_no_key_is_in_no_arm() {
        let experiment = Experiment { name: String::new(), salt: 1, holdout_ppm: 1_000_000 };
        assert_eq!(arm(Some(&experiment), None), Arm::None);
        assert_eq!(arm(Some(&experiment), Some(PersonKey::default())), Arm::None);
        assert_eq!(arm(None, Some(PersonKey([1; 16]))), Arm::None);
    }

    #[test]
    fn people_never_move_between_arms() {
        let experiment = Experiment { name: String::new(), salt: 42, holdout_ppm: 500_000 };
        let arms: String = (1..=16)
            .map(|n| if arm(Some(&experiment), Some(PersonKey([n; 16]))) == Arm::HeldOut { 'h' } else { 't' })
            .collect();
        assert_eq!(arms, "ttththththtthhtt");
    }
}
