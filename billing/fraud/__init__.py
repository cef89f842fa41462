"""Fraud limits in real time: what an account may do, judged while its call is being authorised (CHG-11)."""
