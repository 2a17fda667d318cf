/// The stars of a glob, as `glob_capture(n)` counts them.
package enum GlobStars {
    /// Runs of `*` that stand for something, those in braces and behind braces included.
    package static func count(in glob: String) -> Int {
        var count = 0
        var rest = Substring(glob)
        while let character = rest.popFirst() {
            switch character {
            case "\\": _ = rest.popFirst()
            case "[":
                if rest.first == "!" || rest.first == "^" { rest.removeFirst() }
                if rest.first == "]" { rest.removeFirst() }
                while let inner = rest.popFirst(), inner != "]" {}
            case "*":
                count += 1
                while rest.first == "*" { rest.removeFirst() }
            default: break
            }
        }
        return count
    }
}
