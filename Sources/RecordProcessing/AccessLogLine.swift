internal import PipelineLanguage

/// The columns of nginx's and Apache's access logs, found by plain searching.
struct AccessLogLine {
    /// In the order of the columns of these formats.
    fileprivate enum Place: Int {
        case remoteAddress, remoteUser, time, method, path, protocolVersion, status, bytes
        case referer, userAgent
    }

    private let format: KnownFormat

    init(_ format: KnownFormat) {
        self.format = format
    }

    /// Splits a line; what does not fit comes back in words.
    func parse(_ line: Text, into fields: inout LineFields) -> String? {
        var rest = LineCursor(line)
        guard let address = rest.word(), rest.word() != nil, let user = rest.word() else {
            return "it does not begin with address, identity and user"
        }
        guard let time = rest.enclosed(UInt8(ascii: "["), UInt8(ascii: "]")) else {
            return "there is no [time]"
        }
        guard let request = rest.quoted() else { return "there is no \"request\"" }
        guard let status = rest.word(), let size = rest.word() else {
            return "there are no status and size"
        }
        fields[.remoteAddress] = address
        fields[.remoteUser] = value(user)
        fields[.time] = time
        fields[.status] = status
        fields[.bytes] = isDash(size) ? zero : size
        if let problem = setRequest(request, &fields) { return problem }
        guard format != .apacheCommon else {
            return rest.isAtEnd ? nil : "there is text behind the size; is it `apache_combined`?"
        }
        fields[.referer] = rest.quotedOrCutOff().flatMap(value)
        fields[.userAgent] = rest.quotedOrCutOff().flatMap(value)
        return nil
    }

    private func setRequest(_ request: Text, _ fields: inout LineFields) -> String? {
        let first = place(of: UInt8(ascii: " "), in: request)
        guard let last = request.lastIndex(of: UInt8(ascii: " ")), first < last else {
            if format == .nginxCombined { return "the request is not METHOD PATH PROTOCOL" }
            setPartOfRequest(request, &fields)
            return nil
        }
        fields[.method] = Text(rebasing: request[..<first])
        fields[.path] = Text(rebasing: request[(first + 1)..<last])
        fields[.protocolVersion] = Text(rebasing: request[(last + 1)...])
        return nil
    }

    /// What a client sent that timed out or spoke no HTTP: `-`, `GET /`, or anything.
    private func setPartOfRequest(_ request: Text, _ fields: inout LineFields) {
        let space = place(of: UInt8(ascii: " "), in: request)
        guard space < request.count else {
            fields[.path] = value(request)
            return
        }
        fields[.method] = Text(rebasing: request[..<space])
        fields[.path] = Text(rebasing: request[(space + 1)...])
    }

    private func isDash(_ text: Text) -> Bool { text.count == 1 && text[0] == UInt8(ascii: "-") }

    private func value(_ text: Text) -> Text? { isDash(text) || text.isEmpty ? nil : text }

    /// Apache writes `-` for a body without bytes.
    private var zero: Text {
        let text: StaticString = "0"
        return Text(start: text.utf8Start, count: 1)
    }
}

extension LineFields {
    fileprivate subscript(place: AccessLogLine.Place) -> Text? {
        get { self[place.rawValue] }
        set { self[place.rawValue] = newValue }
    }
}
