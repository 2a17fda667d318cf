import Testing

@testable import RecordProcessing

struct ConstantPoolTests {
    // Each lane makes processors of the same program, at once.
    @Test func `nothing is added to constants that threads share`() async {
        await #expect(processExitsWith: .failure) {
            let constants = ConstantPool()
            _ = constants.text("alert")
            constants.complete()
            _ = constants.text("crit")
        }
    }
}
