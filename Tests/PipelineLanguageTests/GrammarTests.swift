import Foundation
import Testing

@testable import PipelineLanguage

/// What editors colour is what the language knows.
struct GrammarTests {
    private static let path = "packaging/forktail.tmLanguage.json"

    private static func rule(_ name: String) throws -> JSONTree {
        let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let bytes = try Data(contentsOf: URL(filePath: root + "/" + path))
        var reader = JSONReader(source: SourceText(path: path, bytes: Array(bytes)))
        let repository = try #require(try reader.tree()["repository"])
        return try #require(repository[name], "\(path) has no rule \(name)")
    }

    @Test(arguments: [
        ("statement", Parser.statements),
        ("parse", Parser.formats),
        ("record", Parser.sendWords),
        ("type", Checker.typeNames),
        ("function", Function.allCases.map(\.rawValue)),
    ])
    func `the grammar for editors knows the words of the language`(
        name: String,
        words: [String]
    ) throws {
        let pattern = try #require(try Self.rule(name).firstPattern)
        // A word list is what stands between letters, digits, `_` and `|` only.
        let lists = pattern.split { !$0.isLetter && !$0.isNumber && $0 != "_" && $0 != "|" }
            .map { $0.split(separator: "|").map(String.init) }
            .filter { $0.count > 1 }
        let found = try #require(lists.first, "\(Self.path): no list of words in \(name)")
        let wanted = words.joined(separator: "|")
        #expect(
            Set(found) == Set(words),
            "write in the rule \"\(name)\" of \(Self.path): \(wanted)"
        )
    }
}

extension JSONTree {
    fileprivate subscript(_ name: String) -> JSONTree? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }

    /// The regular expression of a rule, or of the first in it.
    fileprivate var firstPattern: String? {
        if case .string(let text)? = self["match"] { return text }
        guard case .array(let patterns)? = self["patterns"] else { return nil }
        return patterns.first?.firstPattern
    }
}
