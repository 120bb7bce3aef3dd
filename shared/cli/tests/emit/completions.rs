//! The scripts for shells: bash's in a real bash, the others by what they say.

use super::*;

fn script(shell: &str) -> String {
    let ran = trailpass(&["completions", shell], "");
    assert_eq!((ran.status, ran.said.as_str()), (Some(0), ""), "{ran:?}");
    ran.out
}

/// What bash offers for the last of these words.
fn offered(words: &[&str]) -> Vec<String> {
    let program = r#"
        source /dev/stdin && complete -p trailpass >/dev/null || exit
        COMP_WORDS=("$@")
        COMP_CWORD=$(($# - 1))
        COMPREPLY=()
        _trailpass trailpass "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' ${COMPREPLY[@]+"${COMPREPLY[@]}"}
    "#;
    let mut child = Command::new("bash")
        .args(["--norc", "-c", program, "bash"])
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("bash is needed for this test");
    child.stdin.take().unwrap().write_all(script("bash").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut offered: Vec<String> =
        String::from_utf8(output.stdout).unwrap().lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
    offered.sort();
    offered
}

#[test]
fn bash_completes_verbs_options_and_values() {
    assert_eq!(offered(&["trailpass", "exp"]), ["explain"]);
    let verbs = offered(&["trailpass", ""]);
    for verb in ["explain", "serve", "cases", "approve", "reject", "grants", "revoke", "console", "completions"] {
        assert!(verbs.contains(&verb.to_owned()), "{verbs:?}");
    }
    assert_eq!(offered(&["trailpass", "explain", "--em"]), ["--emit"]);
    assert_eq!(offered(&["trailpass", "explain", "--format", ""]), ["html", "json", "slack", "sns", "text"]);
    assert_eq!(offered(&["trailpass", "explain", "--grant-mode", "e"]), ["exact"]);
    assert_eq!(offered(&["trailpass", "completions", "f"]), ["fish"]);
    assert_eq!(offered(&["trailpass", "nonsense-"]), [""; 0]);
}

#[test]
fn every_shell_has_its_own_script() {
    let begins = [
        ("bash", "_trailpass() {"),
        ("zsh", "#compdef trailpass\n"),
        ("fish", "complete -c trailpass"),
        ("powershell", "Register-ArgumentCompleter -Native -CommandName 'trailpass'"),
        ("elvish", "set edit:completion:arg-completer[trailpass] = "),
    ];
    for (shell, known) in begins {
        let text = script(shell);
        assert!(text.contains(known), "{shell}");
        for word in ["explain", "emit", "completions", "guardrails", "approve", "revoke", "listen"] {
            assert!(text.contains(word), "{shell} knows no {word}");
        }
    }
    let ran = trailpass(&["completions", "tcsh"], "");
    assert_eq!((ran.status, ran.out.as_str()), (Some(2), ""));
    assert_eq!(trailpass(&["completions"], "").status, Some(2));
}
