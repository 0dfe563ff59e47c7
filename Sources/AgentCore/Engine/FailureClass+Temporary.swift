extension FailureClass { package var retryPolicy: RetryPolicy { .retry }; package var remedy: String { "" } ; package var summary: String {""} }
