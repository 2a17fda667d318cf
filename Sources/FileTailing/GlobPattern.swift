/// A pattern that a file's path may match, as a shell would write it.
///
/// `*` and `?` stand for characters of one name, `[a-z]` and `[!a-z]` for one of a choice, `{a,b}`
/// for alternatives, and `**` for any number of directories. A name that begins with a dot is only
/// matched by a pattern that says the dot.
///
///     try GlobPattern("/var/log/**/*.{log,txt}").matches("/var/log/app/web.log")  // true
package struct GlobPattern: Hashable, Sendable {
    /// What one name of a path must be.
    enum Component: Hashable, Sendable {
        case literal([UInt8])
        case wildcard(NamePattern)
        /// `**`: none, one or many directories.
        case anyDirectories
    }

    private static let alternativeLimit = 1024

    package let text: String
    /// The pattern without braces, written out: each is a list of names.
    let alternatives: [[Component]]
    let isAbsolute: Bool

    package init(_ text: String) throws(GlobError) {
        self.text = text
        let bytes = Array(text.utf8)
        guard !bytes.isEmpty, !bytes.contains(0) else { throw GlobError("the pattern is empty") }
        isAbsolute = bytes[0] == slash
        var alternatives: [[Component]] = []
        for expanded in try expandBraces(bytes, limit: Self.alternativeLimit) {
            alternatives.append(try Self.components(of: expanded))
        }
        self.alternatives = alternatives
    }

    /// Whether a whole path matches; a pattern without a slash matches any file of that name.
    package func matches(_ path: String) -> Bool {
        var path = path
        return path.withUTF8 { matches(UnsafeRawBufferPointer($0)) }
    }

    package func matches(_ path: UnsafeRawBufferPointer) -> Bool {
        let names = path.split(separator: slash).map { UnsafeRawBufferPointer(rebasing: $0) }
        return alternatives.contains { components in
            if components.count == 1, !isAbsolute, let last = names.last {
                return components[0].matches(last)
            }
            return isAbsolute == (path.first == slash) && matchNames(components[...], names[...])
        }
    }

    private static func components(of bytes: [UInt8]) throws(GlobError) -> [Component] {
        var result: [Component] = []
        for part in bytes.split(separator: slash) {
            if part.elementsEqual([UInt8(ascii: ".")]) { continue }
            let component = try Component(Array(part))
            if component == .anyDirectories, result.last == .anyDirectories { continue }
            result.append(component)
        }
        guard !result.isEmpty else { throw GlobError("the pattern names no file") }
        return result
    }
}

/// What is wrong with a pattern.
package struct GlobError: Error, Equatable, CustomStringConvertible {
    package var description: String

    init(_ description: String) {
        self.description = description
    }
}

extension GlobPattern.Component {
    init(_ bytes: [UInt8]) throws(GlobError) {
        if bytes.elementsEqual("**".utf8) {
            self = .anyDirectories
        } else {
            let pattern = try NamePattern(bytes)
            self = pattern.literal.map { .literal($0) } ?? .wildcard(pattern)
        }
    }

    func matches(_ name: UnsafeRawBufferPointer) -> Bool {
        switch self {
        case .literal(let bytes): bytes.elementsEqual(name)
        case .wildcard(let pattern): pattern.matches(name)
        case .anyDirectories: name.first != dot
        }
    }
}

/// What one name must look like.
struct NamePattern: Hashable, Sendable {
    enum Token: Hashable, Sendable {
        case byte(UInt8)
        case any
        case anyRun
        case choice(ByteSet)
    }

    private(set) var tokens: [Token] = []

    init(_ bytes: [UInt8]) throws(GlobError) {
        var rest = bytes[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "*"):
                if tokens.last != .anyRun { tokens.append(.anyRun) }
            case UInt8(ascii: "?"): tokens.append(.any)
            case UInt8(ascii: "["): tokens.append(.choice(try ByteSet(after: &rest)))
            case UInt8(ascii: "\\"): tokens.append(.byte(rest.popFirst() ?? byte))
            default: tokens.append(.byte(byte))
            }
        }
    }

    /// The name itself, if the pattern has no wildcard.
    var literal: [UInt8]? {
        var result: [UInt8] = []
        for token in tokens {
            guard case .byte(let byte) = token else { return nil }
            result.append(byte)
        }
        return result
    }

    // Goes back to the last star only, so a hostile pattern costs length times length at most.
    func matches(_ name: UnsafeRawBufferPointer) -> Bool {
        if name.first == dot, tokens.first != .byte(dot) { return false }
        var token = 0
        var place = 0
        var star: (token: Int, place: Int)?
        while place < name.count {
            if token < tokens.count, tokens[token] == .anyRun {
                star = (token, place)
                token += 1
            } else if token < tokens.count, let length = tokens[token].match(name, at: place) {
                token += 1
                place += length
            } else if let last = star {
                star = (last.token, last.place + 1)
                token = last.token + 1
                place = last.place + 1
            } else {
                return false
            }
        }
        return tokens[token...].allSatisfy { $0 == .anyRun }
    }
}

extension NamePattern.Token {
    /// How many bytes this stands for at a place, or nil.
    fileprivate func match(_ name: UnsafeRawBufferPointer, at place: Int) -> Int? {
        switch self {
        case .byte(let byte): name[place] == byte ? 1 : nil
        case .any: characterLength(name, at: place)
        case .choice(let set): set.contains(name[place]) ? 1 : nil
        case .anyRun: nil
        }
    }

    private func characterLength(_ name: UnsafeRawBufferPointer, at place: Int) -> Int {
        var end = place + 1
        guard name[place] >= 0xC0 else { return 1 }
        while end < name.count, end < place + 4, name[end] & 0xC0 == 0x80 { end += 1 }
        return end - place
    }
}

/// One of a choice of bytes, as in `[a-z_]`.
struct ByteSet: Hashable, Sendable {
    private var words: [UInt64] = [0, 0, 0, 0]

    /// Reads a choice up to its closing bracket.
    init(after rest: inout ArraySlice<UInt8>) throws(GlobError) {
        let isNegated = rest.first == UInt8(ascii: "!") || rest.first == UInt8(ascii: "^")
        if isNegated { rest.removeFirst() }
        var isFirst = true
        while let byte = rest.popFirst() {
            // A bracket right at the beginning stands for itself.
            if byte == UInt8(ascii: "]"), !isFirst {
                if isNegated { negate() }
                return
            }
            isFirst = false
            insert(byte...(try Self.upperBound(of: byte, in: &rest)))
        }
        throw GlobError("a '[' is never closed")
    }

    func contains(_ byte: UInt8) -> Bool {
        words[Int(byte >> 6)] & (1 << UInt64(byte & 63)) != 0
    }

    private mutating func insert(_ range: ClosedRange<UInt8>) {
        for byte in range { words[Int(byte >> 6)] |= 1 << UInt64(byte & 63) }
    }

    private mutating func negate() {
        for index in words.indices { words[index] = ~words[index] }
    }

    private static func upperBound(
        of lower: UInt8,
        in rest: inout ArraySlice<UInt8>
    ) throws(GlobError) -> UInt8 {
        guard rest.first == UInt8(ascii: "-"), rest.count > 1,
            rest[rest.startIndex + 1] != UInt8(ascii: "]")
        else { return lower }
        let upper = rest[rest.startIndex + 1]
        rest.removeFirst(2)
        guard lower <= upper else { throw GlobError("a range in '[…]' runs backwards") }
        return upper
    }
}

/// Matches names one by one; `**` may stand for none of them or many.
private func matchNames(
    _ components: ArraySlice<GlobPattern.Component>,
    _ names: ArraySlice<UnsafeRawBufferPointer>
) -> Bool {
    // One flag for each component: whether the names so far can lead to it.
    var reached = [Bool](repeating: false, count: components.count + 1)
    reached[0] = true
    let list = Array(components)
    for name in names {
        var next = [Bool](repeating: false, count: list.count + 1)
        spread(&reached, over: list)
        for (index, component) in list.enumerated() where reached[index] {
            guard component.matches(name) else { continue }
            next[component == .anyDirectories ? index : index + 1] = true
        }
        // `**` at the end stands for every file below.
        if list.last == .anyDirectories, next[list.count - 1] { next[list.count] = true }
        reached = next
    }
    return reached[list.count]
}

/// `**` may also stand for nothing.
private func spread(_ reached: inout [Bool], over components: [GlobPattern.Component]) {
    for (index, component) in components.enumerated()
    where reached[index] && component == .anyDirectories {
        reached[index + 1] = true
    }
}

/// Writes out `{a,b}`: one pattern for each choice, in order.
private func expandBraces(_ bytes: [UInt8], limit: Int) throws(GlobError) -> [[UInt8]] {
    var pending: [[UInt8]] = [bytes]
    var done: [[UInt8]] = []
    while let pattern = pending.popLast() {
        guard let group = try firstBraces(in: pattern) else {
            done.append(pattern)
            continue
        }
        for choice in group.choices.reversed() {
            pending.append(Array(pattern[..<group.open] + choice + pattern[(group.close + 1)...]))
        }
        guard pending.count + done.count <= limit else {
            throw GlobError("the braces stand for more than \(limit) patterns")
        }
    }
    return done
}

private typealias BraceGroup = (open: Int, close: Int, choices: [ArraySlice<UInt8>])

private func firstBraces(in pattern: [UInt8]) throws(GlobError) -> BraceGroup? {
    var depth = 0
    var open = 0
    var edges: [Int] = []
    var index = 0
    while index < pattern.count {
        switch pattern[index] {
        case UInt8(ascii: "\\"): index += 1
        case UInt8(ascii: "{"):
            if depth == 0 {
                open = index
                edges = [index]
            }
            depth += 1
        case UInt8(ascii: ",") where depth == 1: edges.append(index)
        case UInt8(ascii: "}") where depth > 0:
            depth -= 1
            if depth == 0 {
                edges.append(index)
                let choices = zip(edges, edges.dropFirst()).map { pattern[($0 + 1)..<$1] }
                return (open, index, choices)
            }
        default: break
        }
        index += 1
    }
    guard depth == 0 else { throw GlobError("a '{' is never closed") }
    return nil
}

private let slash = UInt8(ascii: "/")
private let dot = UInt8(ascii: ".")
