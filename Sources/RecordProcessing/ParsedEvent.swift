/// What `parse` makes of an event, for people to look at.
package enum ParsedEvent {
    package struct Field {
        package var name: String
        /// The value as JSON, on one line.
        package var json: String
    }

    case fields([Field])
    /// Not a record: a header row.
    case consumed
    case failed
}

extension RecordProcessor {
    func shownField(_ member: ObjectValue.Member) -> ParsedEvent.Field {
        let json = String(decoding: jsonText(of: member.value), as: UTF8.self)
        return ParsedEvent.Field(
            name: String(decoding: member.name, as: UTF8.self),
            // JSON of several lines has its line ends between its tokens only.
            json: String(json.map { $0.isNewline ? " " : $0 })
        )
    }
}
