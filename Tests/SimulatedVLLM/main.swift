print("simulated")
