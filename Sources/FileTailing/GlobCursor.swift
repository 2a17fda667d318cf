/// A pattern on its way down a directory tree: what the names below must still match.
struct GlobCursor: Hashable {
    /// Whose pattern it is.
    var set: Int
    fileprivate var rest: ArraySlice<GlobPattern.Component>

    /// Whether a file of this name in the directory is meant.
    func matchesFile(_ name: UnsafeRawBufferPointer) -> Bool {
        rest.count == 1 && rest[rest.startIndex].matches(name)
    }

    /// Where the pattern stands in a subdirectory of this name; nowhere if it leads elsewhere.
    func descend(into name: UnsafeRawBufferPointer, to cursors: inout [GlobCursor]) {
        guard let first = rest.first, first.matches(name) else { return }
        if first == .anyDirectories {
            appendWithEmptyRuns(to: &cursors)
        } else if rest.count > 1 {
            GlobCursor(set: set, rest: rest.dropFirst()).appendWithEmptyRuns(to: &cursors)
        }
    }

    // `**` may stand for no directory at all.
    fileprivate func appendWithEmptyRuns(to cursors: inout [GlobCursor]) {
        if !cursors.contains(self) { cursors.append(self) }
        guard rest.first == .anyDirectories, rest.count > 1 else { return }
        let next = GlobCursor(set: set, rest: rest.dropFirst())
        if !cursors.contains(next) { cursors.append(next) }
    }
}

extension GlobPattern {
    /// The directories where looking must begin, and what must match below each.
    func roots(set: Int) -> [(path: String, cursors: [GlobCursor])] {
        alternatives.map { components in
            let names = components.dropLast().prefix { $0.isLiteral }
            var cursors: [GlobCursor] = []
            let below = components[names.endIndex...]
            GlobCursor(set: set, rest: below).appendWithEmptyRuns(to: &cursors)
            return (directory(of: names), cursors)
        }
    }

    private func directory(of names: ArraySlice<Component>) -> String {
        var path = isAbsolute ? "/" : ""
        for case .literal(let name) in names {
            if !path.isEmpty, path != "/" { path += "/" }
            path += String(decoding: name, as: UTF8.self)
        }
        return path.isEmpty ? "." : path
    }
}

extension GlobPattern.Component {
    fileprivate var isLiteral: Bool {
        if case .literal = self { return true }
        return false
    }
}
