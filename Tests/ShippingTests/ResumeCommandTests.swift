import Testing

@testable import Shipping

struct ResumeCommandTests {
    @Test func `what was typed is repeated, with the job and the state directory`() {
        let command = ResumeCommand(
            arguments: [
                "forktail", "backfill", "p.pipeline", "a.log", "-b", "k:9092", "--restart",
            ],
            job: nil,
            stateDirectory: "/var/lib/forktail"
        )
        #expect(
            command.text(job: "p-2026-11-25")
                == "forktail backfill p.pipeline a.log -b k:9092 --job p-2026-11-25"
                + " --state-dir /var/lib/forktail"
        )
    }

    @Test func `what was typed already is not repeated`() {
        let arguments = ["forktail", "backfill", "p", "--job=x", "--state-dir", "s", "-y"]
        let command = ResumeCommand(arguments: arguments, job: "x", stateDirectory: nil)
        #expect(command.text(job: "x") == "forktail backfill p --job=x --state-dir s -y")
    }

    @Test func `what follows two dashes is a file, whatever it is called`() {
        let command = ResumeCommand(
            arguments: ["forktail", "backfill", "p", "--", "--restart"],
            job: nil,
            stateDirectory: nil
        )
        #expect(command.text(job: "j") == "forktail backfill p --job j -- --restart")
    }

    @Test(arguments: [
        ("ä-1_2.log", "ä-1_2.log"), ("", "''"), ("a b", "'a b'"), ("it's", #"'it'\''s'"#),
        ("~/$x*", "'~/$x*'"), ("a\n'b\\", #"$'a\x0a\'b\\'"#), ("\u{9B}", #"$'\xc2\x9b'"#),
    ])
    func `each word is one word for the shell`(word: String, quoted: String) {
        let command = ResumeCommand(arguments: [word], job: "", stateDirectory: nil)
        #expect(command.text(job: "") == quoted)
    }
}
