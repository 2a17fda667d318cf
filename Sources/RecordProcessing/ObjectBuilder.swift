/// Collects members in the order of their first coming; one that comes again replaces the value.
struct ObjectBuilder {
    /// A name as a key, equal by its bytes.
    private struct Key: Hashable {
        let name: Text

        static func == (left: Self, right: Self) -> Bool { equal(left.name, right.name) }

        func hash(into hasher: inout Hasher) { hasher.combine(bytes: name) }
    }

    /// With more members than this, looking through all of them for each new one takes too long.
    private static let countWithoutIndex = 16

    private(set) var object: ObjectValue
    private var places: [Key: Int] = [:]

    init(_ object: ObjectValue = ObjectValue()) {
        self.object = object
        if object.members.count > Self.countWithoutIndex { indexAll() }
    }

    mutating func set(_ name: Text, to value: Value) {
        let count = object.members.count
        guard count > Self.countWithoutIndex else {
            object.set(name, to: value)
            if object.members.count > Self.countWithoutIndex { indexAll() }
            return
        }
        let key = Key(name: name)
        if let place = places[key] {
            object.members[place].value = value
        } else {
            places[key] = count
            object.members.append(ObjectValue.Member(name: name, value: value))
        }
    }

    private mutating func indexAll() {
        for (place, member) in object.members.enumerated() {
            places[Key(name: member.name)] = place
        }
    }
}
