"""The transform AWS::Serverless-2016-10-31: AWS's own translator, in a process of its own."""
