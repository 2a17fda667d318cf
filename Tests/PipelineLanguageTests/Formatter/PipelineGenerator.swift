@testable import PipelineLanguage

/// Writes pipelines that compile, in layouts that nobody would choose.
struct PipelineGenerator {
    private var random: SplitMix
    private var names = 0
    private var junk = ["junk1", "junk2", "junk3", "junk4"]
    private var lineEnd: String

    init(seed: UInt64) {
        random = SplitMix(state: seed)
        lineEnd = "\n"
        if chance(10) { lineEnd = "\r\n" }
    }

    mutating func pipeline() -> String {
        var text = chance(5) ? "\u{FEFF}" : ""
        text += lines() + from() + end() + parse() + end()
        for _ in 0..<Int.random(in: 0...6, using: &random) { text += step(depth: 2) + end() }
        text += send() + end()
        text += "on\(space())error\(space())" + policy() + end()
        for _ in 0..<Int.random(in: 0...2, using: &random) { text += test() + end() }
        return chance(20) ? text + "# no line end" : text
    }

    // MARK: Chance

    private mutating func chance(_ percent: Int) -> Bool {
        Int.random(in: 0..<100, using: &random) < percent
    }

    private mutating func pick(_ choices: [String]) -> String {
        choices.randomElement(using: &random) ?? ""
    }

    private mutating func newName() -> String {
        names += 1
        return chance(10)
            ? "`a name \(names)`" : pick(["value", "x", "customer_number"]) + "_\(names)"
    }

    // MARK: Layout

    private mutating func space() -> String {
        pick([" ", " ", "  ", "\t", "      "])
    }

    private mutating func maybe() -> String {
        pick(["", " ", "  "])
    }

    private mutating func comment() -> String {
        pick([
            "# why", "#", "#  two  spaces  ", "# { ( [ \" ' }", "# größer", "#!/bin/sh", "# a, b",
        ])
    }

    /// A line end, perhaps with comments and empty lines.
    private mutating func end() -> String {
        maybe() + (chance(20) ? comment() : "") + lineEnd + lines()
    }

    private mutating func lines() -> String {
        var text = ""
        while chance(25) { text += (chance(50) ? maybe() + comment() : maybe()) + lineEnd }
        return text + pick(["", "", "  ", "        ", "\t"])
    }

    /// White space where a line may break.
    private mutating func loose() -> String {
        chance(15) ? end() : space()
    }

    /// White space inside of brackets, where there need be none.
    private mutating func inside() -> String {
        chance(10) ? end() : maybe()
    }

    private mutating func braces(_ entries: [String], comma: Bool, spaces: Bool = false) -> String {
        guard !entries.isEmpty else { return "{" + (chance(30) ? end() : maybe()) + "}" }
        var text = "{" + (chance(50) ? end() : maybe())
        for (index, entry) in entries.enumerated() {
            text += entry
            if index == entries.count - 1 {
                text += comma && chance(10) ? "," : ""
            } else if comma, chance(50) {
                text += "," + loose()
            } else if spaces, chance(30) {
                text += space()
            } else {
                text += end()
            }
        }
        return text + (chance(50) ? end() : maybe()) + "}"
    }

    private mutating func list(_ elements: [String]) -> String {
        var text = inside()
        for (index, element) in elements.enumerated() {
            text += element + inside()
            if index < elements.count - 1 { text += "," + inside() }
        }
        return text + (chance(10) && !elements.isEmpty ? "," + inside() : "")
    }

    private mutating func call(_ name: String, _ arguments: [String]) -> String {
        "\(name)(\(list(arguments)))"
    }

    private mutating func assignment(_ name: String, _ value: String) -> String {
        name + maybe() + "=" + (chance(5) ? end() : maybe()) + value
    }

    // MARK: Statements

    private mutating func from() -> String {
        let globs = (0...Int.random(in: 0...2, using: &random)).map {
            "\"/srv/logs/app-\($0)/*.log\""
        }
        var text = "from" + space() + globs[0]
        for glob in globs.dropFirst() { text += maybe() + "," + loose() + glob }
        guard chance(60) else { return text }
        let settings = [
            assignment("settle", pick(["5s", "100ms", "1h"])),
            assignment("exclude", "[\(list(["\"/srv/*.gz\"", "'/srv/*.1'"]))]"),
            assignment("max_line", pick(["64KiB", "1MiB"])),
            assignment("start", pick(["beginning", "end"])),
        ]
        let chosen = settings.shuffled(using: &random).prefix(Int.random(in: 0...4, using: &random))
        return text + space() + braces(Array(chosen), comma: true, spaces: true)
    }

    private mutating func parse() -> String {
        let columns = [
            "id" + maybe() + ":" + maybe() + "int",
            "shop" + maybe() + ":" + maybe() + call("enum", ["\"north\"", "\"south\""]),
            "clerk" + maybe() + ":" + maybe() + "string" + maybe() + "?",
            "note" + maybe() + ":" + maybe() + "string",
            "total:" + maybe() + "decimal",
            "at" + maybe() + ":" + call("time", ["'%Y-%m-%d'", "zone" + maybe() + ": \"UTC\""]),
            "buyer:" + maybe() + "object?",
            "tags:[" + maybe() + "string" + maybe() + "]",
        ]
        let rest = junk.map { $0 + ":" + maybe() + "string?" }
        return "parse" + space() + "json" + space()
            + braces((columns + rest).shuffled(using: &random), comma: true)
    }

    private mutating func step(depth: Int) -> String {
        switch Int.random(in: 0..<12, using: &random) {
        case 0, 1: return "let" + space() + assignment(newName(), any(3))
        case 2, 3: return "set" + space() + assignment(newName(), any(3))
        case 4: return "set" + space() + assignment("buyer.inner . deep", any(2))
        case 5: return "drop" + space() + (chance(50) ? "\"a reason\" " : "") + "if " + bool(3)
        case 6: return "reject 'no'" + space() + "if" + space() + bool(3)
        case 7:
            guard junk.count > 1 else { return "drop if " + bool(2) }
            return "remove" + space() + junk.removeLast() + maybe() + "," + loose()
                + junk.removeLast()
        case 8 where depth > 0: return branches(depth: depth)
        case 9 where chance(50):
            let columns = ["id", "shop", "clerk", "note", "total", "at", "buyer", "tags"] + junk
            return "keep" + space() + columns.joined(separator: maybe() + "," + loose())
        case 10:
            guard let column = junk.popLast() else { return "reject \"all\" if " + bool(1) }
            return "rename" + space() + column + space() + "to" + space() + newName()
        default: return send()
        }
    }

    private mutating func block(depth: Int) -> String {
        let count = Int.random(in: 1...3, using: &random)
        let steps = (0..<count).map { _ in step(depth: depth - 1) }
        return braces(steps, comma: false)
    }

    private mutating func branches(depth: Int) -> String {
        var text = "if" + space() + bool(3) + space() + block(depth: depth)
        while chance(30) {
            text +=
                maybe() + "else" + space() + "if" + space() + bool(2) + space()
                + block(depth: depth)
        }
        return chance(50) ? text + maybe() + "else" + maybe() + block(depth: depth) : text
    }

    private mutating func send() -> String {
        var lines = [
            assignment(
                "topic",
                pick(["\"till\"", "\"till.${shop}\"", "\"till.${ lower( shop ) }\""])
            ),
            assignment(
                "value",
                pick(["json(*)", "json( * except note )", "json(*except(note,id))"])
            ),
        ]
        if chance(60) { lines.append(assignment("key", string(2))) }
        if chance(40) { lines.append(assignment("timestamp", "at")) }
        if chance(60) { lines.append("headers" + maybe() + headers()) }
        return "send" + space() + target()
            + braces(lines.shuffled(using: &random), comma: true, spaces: true)
    }

    private mutating func target() -> String {
        guard chance(20) else { return "" }
        return "to" + space() + pick(["archive", "far-away", "eu.2", "\"7\"", "or"]) + space()
    }

    private mutating func headers() -> String {
        let names = ["trace-id", "a.b-c", "\"X Y\"", "plain", "or", "source.path"]
        let chosen = names.shuffled(using: &random).prefix(Int.random(in: 0...4, using: &random))
        let settings = chosen.sorted { left, _ in left == "or" }.map { assignment($0, string(2)) }
        return braces(Array(settings), comma: true, spaces: true)
    }

    private mutating func policy() -> String {
        switch Int.random(in: 0..<4, using: &random) {
        case 0: return "stop"
        case 1: return "skip"
        case 2: return "dead_letter" + space() + "\"till.dead\""
        default:
            let send = "send { topic = \"dead\"\(space())value = @raw\(end())key=@file }"
            return braces([send], comma: false)
        }
    }

    private mutating func test() -> String {
        var entries: [String] = []
        if chance(50) { entries.append("given" + maybe() + braces(["@host=\"h\""], comma: true)) }
        entries.append("input" + space() + input())
        while chance(50) { entries.append(expectation()) }
        return "test" + space() + "\"a test\"" + space() + braces(entries, comma: false)
    }

    private mutating func input() -> String {
        let indent = pick(["", "  ", "      ", "\t"])
        let quotes = pick(["'''", "\"\"\""])
        var text = quotes + maybe() + lineEnd
        for _ in 0..<Int.random(in: 0...3, using: &random) {
            let content = pick([
                "{\"id\":7}", "", "   deeper ", "# no comment", "''", "\tx", "größer",
            ])
            text += pick([indent, indent, "", " "]) + content + pick([lineEnd, "\n"])
        }
        return text + indent + quotes
    }

    private mutating func expectation() -> String {
        switch Int.random(in: 0..<5, using: &random) {
        case 0: return "expect drop"
        case 1: return "expect" + space() + "drop \"a reason\""
        case 2: return "expect" + space() + "dead_letter"
        case 3: return "expect nothing"
        default:
            let lines = [
                assignment("topic", "\"till\""), "value" + space() + "has" + space() + constant(2),
                "headers " + braces([assignment("plain", "\"x\"")], comma: true),
            ]
            let chosen = lines.prefix(Int.random(in: 0...3, using: &random))
            return "expect" + space() + target()
                + braces(Array(chosen), comma: true, spaces: true)
        }
    }

    // MARK: Values

    private mutating func any(_ depth: Int) -> String {
        switch Int.random(in: 0..<6, using: &random) {
        case 0: return int(depth)
        case 1: return bool(depth)
        case 2: return object(depth)
        case 3: return "[\(list([int(depth - 1), int(0)]))]"
        default: return string(depth)
        }
    }

    private mutating func object(_ depth: Int) -> String {
        guard depth > 0 else { return pick(["{ }", "{ id, note }", "{id:id}"]) }
        let members = [
            "a" + maybe() + ":" + maybe() + any(depth - 1), "note",
            "\"b c\":" + maybe() + any(depth - 1), "long_name: " + string(depth - 1),
        ]
        let count = Int.random(in: 0...4, using: &random)
        return braces(Array(members.shuffled(using: &random).prefix(count)), comma: true)
    }

    private mutating func constant(_ depth: Int) -> String {
        braces(["id: 7", "note" + maybe() + ":\"x\"", "list:[1,\(maybe())2]"], comma: true)
    }

    private mutating func infix(_ left: String, _ sign: String, _ right: String) -> String {
        let canLead = ["and", "or", "+", "??"].contains(sign)
        return left + (canLead ? loose() : space()) + sign + loose() + right
    }

    private mutating func int(_ depth: Int) -> String {
        guard depth > 0 else { return pick(["id", "5", "0", "-7", "- 3", "1795428000000"]) }
        switch Int.random(in: 0..<7, using: &random) {
        case 0: return infix(int(depth - 1), pick(["+", "-", "*"]), int(depth - 1))
        case 1: return "(\(inside())\(int(depth - 1))\(inside()))"
        case 2: return call("len", [string(depth - 1)])
        case 3: return "-" + maybe() + "id"
        case 4: return "match" + space() + "shop" + space() + arms(int(depth - 1), int(0))
        default: return int(0)
        }
    }

    private mutating func arms(_ one: String, _ other: String) -> String {
        let first = "\"north\"" + maybe() + "=>" + maybe() + one
        let rest = chance(50) ? "else" : "\"south\""
        return braces([first, rest + space() + "=>" + maybe() + other], comma: true)
    }

    private mutating func bool(_ depth: Int) -> String {
        guard depth > 0 else {
            return pick(["id>1", "note == \"x\"", "note=~'^a|b$'", "id in [1,2]"])
        }
        switch Int.random(in: 0..<8, using: &random) {
        case 0: return infix(int(depth - 1), pick(["<", "<=", ">", ">=", "==", "!="]), int(0))
        case 1: return infix(bool(depth - 1), pick(["and", "or"]), bool(0))
        case 2: return infix(bool(0), pick(["and", "or"]), bool(depth - 1))
        case 3: return "(\(inside())\(bool(depth - 1))\(inside()))"
        case 4: return "not" + space() + "(\(bool(depth - 1)))"
        case 5: return infix("shop", pick(["in", "not in"]), "[\(list(["\"north\"", "'south'"]))]")
        case 6: return call("starts_with", [string(depth - 1), "'a'"])
        default: return bool(0)
        }
    }

    private mutating func string(_ depth: Int) -> String {
        guard depth > 0 else {
            return pick([
                "note", "\"text\"", "'t#x'", "@host", "\"a ${note} # b\"", "\"${@file}/${id}\"",
            ])
        }
        switch Int.random(in: 0..<8, using: &random) {
        case 0: return call("lower", [string(depth - 1)])
        case 1: return infix("clerk", "??", string(depth - 1))
        case 2: return call("mask", [string(0), "keep_last" + maybe() + ":" + maybe() + "4"])
        case 3: return "match" + space() + "shop" + space() + arms(string(depth - 1), string(0))
        case 4: return call("string", [int(depth - 1)])
        case 5: return "match " + braces([bool(0) + " => " + string(0), "else=>note"], comma: true)
        case 6: return "(\(inside())\(string(depth - 1))\(inside()))"
        default: return string(0)
        }
    }
}

extension PipelineContext {
    /// Takes whatever `send to` names.
    static var withAnyCluster: PipelineContext {
        var context = PipelineContext()
        context.clusters = nil
        return context
    }
}
