import FileTailing
import Testing

struct GlobPatternTests {
    struct Row: Sendable, CustomTestStringConvertible {
        var pattern: String
        var path: String
        var matches: Bool
        var testDescription: String { "\(pattern) \(matches ? "matches" : "misses") \(path)" }
    }

    private static let table: [Row] = [
        yes("/var/log/a.log", "/var/log/a.log"),
        no("/var/log/a.log", "/var/log/a.log.1"),
        yes("/var/log/*.log", "/var/log/a.log"),
        yes("/var/log/*.log", "/var/log/a.b.log"),
        no("/var/log/*.log", "/var/log/sub/a.log"),
        no("/var/log/*.log", "/var/log/.a.log"),
        yes("/var/log/.*.log", "/var/log/.a.log"),
        yes("/var/log/?.log", "/var/log/a.log"),
        yes("/var/log/?.log", "/var/log/é.log"),
        no("/var/log/?.log", "/var/log/ab.log"),
        yes("/var/log/[a-c].log", "/var/log/b.log"),
        no("/var/log/[a-c].log", "/var/log/d.log"),
        yes("/var/log/[!a-c].log", "/var/log/d.log"),
        no("/var/log/[^a-c].log", "/var/log/b.log"),
        yes("/var/log/[]x].log", "/var/log/].log"),
        yes("/var/log/[a-].log", "/var/log/-.log"),
        yes("/x/*.{log,txt}", "/x/a.txt"),
        no("/x/*.{log,txt}", "/x/a.csv"),
        yes("/{var/log,srv}/a", "/var/log/a"),
        yes("/{a,b{c,d}}/e", "/bd/e"),
        yes("/var/**/a.log", "/var/a.log"),
        yes("/var/**/a.log", "/var/x/y/z/a.log"),
        no("/var/**/a.log", "/var/x/b.log"),
        no("/var/**/a.log", "/var/.hidden/a.log"),
        yes("/var/**/log/*.log", "/var/log/log/a.log"),
        yes("/var/**", "/var/x/a"),
        no("/var/**", "/srv/x/a"),
        yes("/x/\\*.log", "/x/*.log"),
        no("/x/\\*.log", "/x/a.log"),
        yes("*.gz", "/var/log/a.log.gz"),
        yes("skip*", "/var/skip.log"),
        no("skip*", "/var/skip/a.log"),
        yes("/var//log/./a", "/var/log/a"),
        yes("/x/a*b*c", "/x/aXbYbc"),
        no("/x/a*b*c", "/x/aXbYbd"),
        yes("logs/*.log", "logs/a.log"),
        no("logs/*.log", "/logs/a.log"),
    ]

    @Test(arguments: table)
    func `a pattern matches as a shell would`(row: Row) throws {
        #expect(try GlobPattern(row.pattern).matches(row.path) == row.matches)
    }

    @Test(arguments: [
        ("", "the pattern is empty"),
        ("/", "the pattern names no file"),
        ("/x/[a", "a '[' is never closed"),
        ("/x/[z-a]", "a range in '[…]' runs backwards"),
        ("/x/{a,b", "a '{' is never closed"),
    ])
    func `a pattern that cannot be meant says why`(text: String, reason: String) throws {
        let error = #expect(throws: GlobError.self) { _ = try GlobPattern(text) }
        #expect(error?.description == reason)
    }

    @Test func `braces that multiply without end are refused`() {
        let text = "/x/" + String(repeating: "{a,b}", count: 30)
        #expect(throws: GlobError.self) { _ = try GlobPattern(text) }
    }

    @Test func `many stars cost no more than the name is long`() throws {
        let pattern = try GlobPattern("/x/" + String(repeating: "*a", count: 60) + "b")
        #expect(!pattern.matches("/x/" + String(repeating: "a", count: 250)))
    }

    private static func yes(_ pattern: String, _ path: String) -> Row {
        Row(pattern: pattern, path: path, matches: true)
    }

    private static func no(_ pattern: String, _ path: String) -> Row {
        Row(pattern: pattern, path: path, matches: false)
    }
}

struct GlobExpansionTests {
    private let directory = TemporaryDirectory()

    @Test func `files are listed once and sorted, without directories and the excluded`() throws {
        directory.makeDirectory("sub")
        directory.makeDirectory("dir.log")
        for name in ["b.log", "a.log", "skip.log", "sub/c.log", "a.txt"] {
            directory.write(name, "x")
        }
        directory.link("alias.log", to: "b.log")
        directory.link("sub/up", to: directory.path)
        let paths = GlobExpansion.files(
            matching: [
                try GlobPattern(directory.path + "/**/*.log"),
                try GlobPattern(directory.path + "/a.*"),
            ],
            excluding: [try GlobPattern("skip*")],
            on: LinuxDisk()
        )
        let names = ["a.log", "a.txt", "alias.log", "sub/c.log"]
        #expect(paths == names.map(directory.file))
    }

    @Test func `a directory that does not exist holds no files`() throws {
        let pattern = try GlobPattern(directory.path + "/none/*.log")
        #expect(GlobExpansion.files(matching: [pattern], on: LinuxDisk()) == [])
    }
}
