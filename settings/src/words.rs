//! Words in messages: lists of names, and the name that was probably meant.

/// How unlike two names may be for one to be suggested for the other.
const LIKENESS_MIN: f64 = 0.75;

/// "did you mean ...?" for the name among `known` that is most like `name`, if one is.
pub(crate) fn near<S: AsRef<str>>(name: &str, known: &[S]) -> Option<String> {
    let lower = name.to_lowercase();
    let likeness =
        |candidate: &&S| strsim::jaro_winkler(&lower, &candidate.as_ref().to_lowercase());
    let best = known
        .iter()
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(&best) >= LIKENESS_MIN).then(|| format!("did you mean {:?}?", best.as_ref()))
}

/// `"a", "b" and "c"`, in the order given.
pub(crate) fn quoted_list<S: AsRef<str>>(names: &[S]) -> String {
    let quoted: Vec<String> = names
        .iter()
        .map(|name| format!("{:?}", name.as_ref()))
        .collect();
    match quoted.as_slice() {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
