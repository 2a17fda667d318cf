/// A part of a JSON tree, and the way to it, for messages.
struct JSONPlace {
    let tree: JSONTree
    private let path: String

    init(_ tree: JSONTree, at path: String) {
        self.tree = tree
        self.path = path
    }

    func wrong(_ message: String) -> ExportError {
        ExportError("\(path): \(message)")
    }

    // MARK: Members

    private func members() throws(ExportError) -> [JSONTree.Member] {
        guard case .object(let members) = tree else { throw wrong("an object was expected") }
        return members
    }

    /// Refuses members of other names: what is not understood must not get lost.
    func allow(_ names: String...) throws(ExportError) {
        for member in try members() where !names.contains(member.name) {
            throw wrong("there is no member \"\(member.name)\" here")
        }
    }

    func has(_ name: String) throws(ExportError) -> Bool {
        try optional(name) != nil
    }

    func optional(_ name: String) throws(ExportError) -> JSONPlace? {
        guard let member = try members().first(where: { $0.name == name }) else { return nil }
        return JSONPlace(member.value, at: path == "the pipeline" ? name : "\(path).\(name)")
    }

    func member(_ name: String) throws(ExportError) -> JSONPlace {
        guard let member = try optional(name) else { throw wrong("\"\(name)\" is missing") }
        return member
    }

    // MARK: Elements

    /// The elements of a list that may be left out.
    func list<Element>(
        _ name: String,
        _ read: (JSONPlace) throws(ExportError) -> Element
    ) throws(ExportError) -> [Element] {
        guard let member = try optional(name) else { return [] }
        return try member.elements(read)
    }

    func elements<Element>(
        _ read: (JSONPlace) throws(ExportError) -> Element
    ) throws(ExportError) -> [Element] {
        guard case .array(let elements) = tree else { throw wrong("a list was expected") }
        var result: [Element] = []
        for (index, element) in elements.enumerated() {
            result.append(try read(JSONPlace(element, at: "\(path)[\(index)]")))
        }
        return result
    }

    // MARK: Values

    func string() throws(ExportError) -> String {
        guard case .string(let text) = tree else { throw wrong("a text was expected") }
        return text
    }

    func bool() throws(ExportError) -> Bool {
        guard case .bool(let value) = tree else { throw wrong("true or false was expected") }
        return value
    }

    func count() throws(ExportError) -> Int64 {
        guard case .integer(let count) = tree, count >= 0 else {
            throw wrong("a number of 0 or more was expected")
        }
        return count
    }

    func decimal() throws(ExportError) -> String {
        let text = try string()
        let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
        let parts = digits.utf8.split(
            separator: UInt8(ascii: "."),
            omittingEmptySubsequences: false
        )
        guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy(\.isDigit) }) else {
            throw wrong("a decimal such as \"19.90\" was expected")
        }
        return text
    }

    /// A text, as a name.
    func name() throws(ExportError) -> Name {
        Name(text: try string(), span: Span(0, 0))
    }

    /// A name that can stand in a text, at least in backticks.
    func fieldName() throws(ExportError) -> Name {
        let text = try string()
        guard !text.isEmpty, !text.utf8.contains(where: { $0 == 0x60 || $0 == 0x0A }) else {
            throw wrong("this cannot be a name")
        }
        return Name(text: text, span: Span(0, 0))
    }

    /// A name that is not in backticks.
    func word() throws(ExportError) -> Name {
        let text = try string()
        guard ExpressionWriter.isPlain(text) else { throw wrong("\"\(text)\" is not a word") }
        return Name(text: text, span: Span(0, 0))
    }

    func checkMeta(_ path: [Substring]) throws(ExportError) {
        guard !path.isEmpty, path.allSatisfy({ ExpressionWriter.isWord(String($0)) }) else {
            throw wrong("this is no name of metadata")
        }
    }
}
