/// A message of SCRAM: `r=…,s=…,i=4096`.
package struct SCRAMMessage: Sendable, Equatable {
    package struct Attribute: Sendable, Equatable {
        package let name: Character
        package let value: String
    }

    package let attributes: [Attribute]

    /// Nil where a part is not a letter, `=`, and text.
    package init?(_ text: some StringProtocol) {
        var attributes: [Attribute] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let name = part.first, name.isASCII, name.isLetter,
                part.dropFirst().first == "="
            else { return nil }
            attributes.append(Attribute(name: name, value: String(part.dropFirst(2))))
        }
        self.attributes = attributes
    }

    /// The values of exactly these attributes, in this order, at the message's start.
    ///
    /// What follows are extensions, which may be passed over (RFC 5802, section 5.1).
    package func values(_ names: Character...) -> [String]? {
        guard self.attributes.count >= names.count,
            zip(self.attributes, names).allSatisfy({ $0.name == $1 })
        else { return nil }
        return self.attributes.prefix(names.count).map(\.value)
    }

    /// A name as it stands in a message, its commas and equals signs escaped.
    package static func escape(_ name: String) -> String {
        var text = ""
        for character in name.unicodeScalars {
            switch character {
            case "=": text += "=3D"
            case ",": text += "=2C"
            default: text.unicodeScalars.append(character)
            }
        }
        return text
    }

    /// Nil for an equals sign that escapes nothing.
    package static func unescape(_ text: String) -> String? {
        let parts = text.split(separator: "=", omittingEmptySubsequences: false)
        var name = String(parts[0])
        for part in parts.dropFirst() {
            switch part.prefix(2) {
            case "3D": name += "="
            case "2C": name += ","
            default: return nil
            }
            name += part.dropFirst(2)
        }
        return name
    }
}
