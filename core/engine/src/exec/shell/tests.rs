//! Lines as bash reads them.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

/// A line in which `@` is a reference.
fn symbols(line: &str) -> (Vec<Symbol>, Vec<Option<String>>) {
    let (mut symbols, mut values) = (Vec::new(), Vec::new());
    for c in line.chars() {
        if c == '@' {
            symbols.push(Symbol::Reference(values.len()));
            values.push(None);
        } else {
            symbols.push(Symbol::Char(c));
        }
    }
    (symbols, values)
}

fn line(text: &str) -> Result<Line, Misplaced> {
    let (symbols, values) = symbols(text);
    read(&symbols, &values)
}

fn refused(text: &str) -> &'static str {
    line(text).expect_err(text).message
}

/// `q` in double quotes, `a` a word of its own, `.` neither, `b` both.
fn places(text: &str) -> String {
    let place = |place: &Place| match (place.quoted, place.alone) {
        (true, true) => 'b',
        (true, false) => 'q',
        (false, true) => 'a',
        (false, false) => '.',
    };
    line(text).unwrap_or_else(|problem| panic!("{text}: {problem:?}")).places.iter().map(place).collect()
}

#[test]
fn places_of_references() {
    assert_eq!(places("cat @ \"@\" x@ \"y @\" > @"), "ab.q.");
    assert_eq!(places("x=@ y=\"@\"; @ | @&& (@)"), ".qaaa");
    assert_eq!(places("a 'it''s' @ it\\'s @ \"it's @\" @"), "aaqa");
    assert_eq!(places("echo \"$(cat @ \"@\")\" @ \"${x:-'}'}\" @"), "abaa");
    assert_eq!(places("echo ${x#a} $# @ # it's a comment\ncat @"), "aa");
    assert_eq!(places("case $x in a) cat @;; (b) cat @;; esac; echo \"@\""), "aab");
    assert_eq!(places("echo \"$(case $x in a) cat @;; esac)@\""), "aq");
    assert_eq!(places("echo case \"$(echo esac)\" @"), "a");
    assert_eq!(places("cat <<EOF\nit's \"$(not\nEOF\ncat @"), "a");
    assert_eq!(places("cat <<-'E F' - <<X; cat @\n\tE F\n'\nX\ncat \"@\""), "a.".replace('.', "b"));
    assert_eq!(places("cat <<< @; echo $((1 << 2)) @; ((i++)); echo @"), "aaa");
    assert_eq!(places("echo `it \\` is` @ $'it\\'s' @ $\"@\""), "aa.".replace('.', "q"));
    assert_eq!(places("for f in @; do cat \"$f\"; done > >(tee @)"), "aa");
    assert_eq!(places("a \\\n @"), "a");
}

#[test]
fn places_where_a_value_would_become_text_of_the_script() {
    assert_eq!(refused("grep '@'"), "inside single quotes");
    assert_eq!(refused("cat `ls @`"), "inside backticks");
    assert_eq!(refused("echo \"`ls @`\""), "inside backticks");
    assert_eq!(refused("echo $'@'"), "inside `$'…'`");
    assert_eq!(refused("ls # @"), "in a comment");
    assert_eq!(refused("cat <<X\n@\nX"), "in a here-document");
    assert_eq!(refused("cat <<@\nX"), "in the delimiter of a here-document");
    assert_eq!(refused("echo ${x:-@}"), "inside `${…}`");
    assert_eq!(refused("echo \"${x:-\"@\"}\""), "inside `${…}`");
    assert_eq!(refused("echo $((@ + 1))"), "inside arithmetic, `((…))`");
    assert_eq!(refused("((@ > 1)) && ls"), "inside arithmetic, `((…))`");
    assert_eq!(refused("echo \\@"), "behind a backslash");
    assert_eq!(refused("echo \"\\@\""), "behind a backslash");
    assert_eq!(refused("((ls); echo) | cat @"), "after parentheses that cannot be told from arithmetic");
    assert_eq!(refused("echo 'a"), "a quote or a parenthesis is not closed");
    assert_eq!(refused("echo \"$(a"), "a quote or a parenthesis is not closed");
}

#[test]
fn words_that_name_something() {
    let words = |text: &str| line(text).unwrap().words;
    assert_eq!(
        words("python 'my fit.py' --n=3 < in.txt > out.txt 2>> err.txt"),
        ["python", "my fit.py", "--n=3", "in.txt", "2"]
    );
    assert_eq!(words("a\\ b $c *.txt \"d\"'e' x@ ~/f \"$g\" # h"), ["a b", "de"]);
    assert_eq!(
        words("echo \"$(sh a.sh)\"; (b.sh)|c.sh&d.sh"),
        ["echo", "sh", "a.sh", "b.sh", "c.sh", "d.sh"]
    );
    let known = read(&[Symbol::Char('a'), Symbol::Char('/'), Symbol::Reference(0)], &[Some("b c".into())]);
    assert_eq!(known.unwrap().words, ["a/b c"]);
}

proptest! {
    #[test]
    fn any_text_is_read_to_its_end(text in "[@a '\"\\\\$`(){};|&<>#\\n=*~-]{0,40}") {
        let _ = line(&text);
    }
}
