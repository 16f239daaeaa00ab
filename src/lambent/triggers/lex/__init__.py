"""What conversations with bots of Lex call outside, and the links of files."""
