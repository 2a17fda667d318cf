/// A password or token, which shows itself nowhere.
///
/// ```swift
/// configuration.sasl.password = .file("/run/secrets/kafka")
/// ```
/// It prints as `(secret)`, also in a dump or a reflection of what holds it.
public struct Secret: Sendable, Equatable {
    package enum Origin: Sendable, Equatable {
        case text(String)
        case file(String)
    }

    package let origin: Origin

    /// Takes the secret itself.
    public init(_ text: String) {
        self.origin = .text(text)
    }

    private init(origin: Origin) {
        self.origin = origin
    }

    /// A secret in a file, without the line break at its end.
    ///
    /// The file is read anew for each new connection, so that a changed password needs no restart.
    public static func file(_ path: String) -> Secret {
        Secret(origin: .file(path))
    }

    /// The secret itself; nothing where it is in a file that is not read yet.
    package var text: String {
        guard case .text(let text) = self.origin else { return "" }
        return text
    }

    /// A text by others in which this secret does not stand, nor what would move a cursor.
    package func redacted(in text: String) -> String {
        let shown = text.unicodeScalars.map { $0.value < 0x20 ? " " : String($0) }.joined()
        return self.text.isEmpty ? shown : shown.replacing(self.text, with: "(secret)")
    }

    package var isEmpty: Bool { self.origin == .text("") || self.origin == .file("") }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "(secret)" }
    public var debugDescription: String { "(secret)" }
    public var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}

extension Secret.Origin: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "(secret)" }
    package var debugDescription: String { "(secret)" }
    package var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}
