internal import AgentCore
