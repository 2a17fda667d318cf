/// A glob of `from` as a regular expression with a group for each star.
///
/// Files are found by `GlobPattern`; this only tells what the stars of a file's path stand for.
enum GlobRegex {
    static func pattern(for glob: String) -> String {
        var rest = Substring(glob)
        var pattern = "(?s)^"
        if !rest.hasPrefix("/") {
            // Relative to the pipeline file: what stands above it is no part of the glob.
            while rest.hasPrefix("./") || rest.hasPrefix("../") {
                rest = rest[rest.index(after: rest.firstIndex(of: "/") ?? rest.startIndex)...]
            }
            pattern = "(?s)(?:^|/)"
        }
        var depth = 0
        while let character = rest.popFirst() {
            switch character {
            case "*": pattern += stars(&rest)
            case "?": pattern += "[^/]"
            case "[": pattern += choice(&rest)
            case "\\": pattern += escaped(rest.popFirst() ?? "\\")
            case "{":
                depth += 1
                pattern += "(?:"
            case "}" where depth > 0:
                depth -= 1
                pattern += ")"
            case "," where depth > 0: pattern += "|"
            default: pattern += escaped(character)
            }
        }
        return pattern + "$"
    }

    private static func stars(_ rest: inout Substring) -> String {
        guard rest.first == "*" else { return "([^/]*)" }
        while rest.first == "*" { rest.removeFirst() }
        // Any number of directories, none included: then its slash goes as well.
        guard rest.first == "/" else { return "(.*)" }
        rest.removeFirst()
        return "(?:(.*?)/)?"
    }

    private static func choice(_ rest: inout Substring) -> String {
        var pattern = "["
        if rest.first == "!" || rest.first == "^" {
            rest.removeFirst()
            pattern += "^"
        }
        var isFirst = true
        while let character = rest.popFirst() {
            if character == "]", !isFirst { return pattern + "]" }
            isFirst = false
            pattern += character == "-" ? "-" : escaped(character)
        }
        return pattern + "]"
    }

    private static func escaped(_ character: Character) -> String {
        character.isASCII && !character.isLetter && !character.isNumber
            ? "\\\(character)" : String(character)
    }
}
