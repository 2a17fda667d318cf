/// The capturing groups of a regular expression, without compiling it.
struct RegexGroups {
    /// The names, in order of their first appearance.
    private(set) var names: [String] = []
    private(set) var count = 0

    init(pattern: String) {
        var rest = Substring(pattern)
        while let character = rest.popFirst() {
            switch character {
            case "\\": Self.skipEscape(&rest)
            case "[": Self.skipClass(&rest)
            case "(": readGroup(rest)
            default: break
            }
        }
    }

    private static func skipEscape(_ rest: inout Substring) {
        guard rest.popFirst() == "Q" else { return }
        while !rest.isEmpty, !rest.hasPrefix("\\E") { rest.removeFirst() }
    }

    private static func skipClass(_ rest: inout Substring) {
        if rest.first == "^" { rest.removeFirst() }
        if rest.first == "]" { rest.removeFirst() }
        while let character = rest.popFirst(), character != "]" {
            if character == "\\" { _ = rest.popFirst() }
            if character == "[", rest.first == ":" { skipPOSIXClass(&rest) }
        }
    }

    private static func skipPOSIXClass(_ rest: inout Substring) {
        // `[:alpha:]`, but `[[:]` is only a class with two signs.
        let name = rest.dropFirst().prefix { $0.isLetter || $0 == "^" }
        let behind = rest.dropFirst(1 + name.count)
        if behind.hasPrefix(":]") { rest = behind.dropFirst(2) }
    }

    private mutating func readGroup(_ rest: Substring) {
        guard rest.first == "?" else {
            if rest.first != "*" { count += 1 }
            return
        }
        for (opening, closing) in [("?<", ">"), ("?P<", ">"), ("?'", "'")] {
            guard rest.hasPrefix(opening) else { continue }
            let name = rest.dropFirst(opening.count).prefix {
                $0.isLetter || $0.isNumber || $0 == "_"
            }
            let behind = rest.dropFirst(opening.count + name.count)
            guard !name.isEmpty, behind.hasPrefix(closing) else { continue }
            count += 1
            if !names.contains(String(name)) { names.append(String(name)) }
            return
        }
    }
}
