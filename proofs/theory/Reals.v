(** The abstract [exponential] exists: Coq's real numbers.  The theorems on softmax
    losses are thereby statements about the usual exp and log. *)
Require Import Reals.
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import Rstruct.
From UFM Require Import Frobenius CollapseIdentity Labels Balanced MseModes Exponential CrossEntropy.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Lemma RexD (x y : R) : exp (x + y) = exp x * exp y.
Proof. exact: exp_plus. Qed.
Lemma Rex_ge (x : R) : 1 + x <= exp x.
Proof. by apply/RleP; exact: exp_ineq1_le. Qed.
Lemma Rex_eq (x : R) : exp x = 1 + x -> x = 0.
Proof.
move=> h; apply/eqP/negPn/negP => /eqP x0.
by have := exp_ineq1 x x0; rewrite h; apply: Rlt_irrefl.
Qed.
Lemma RlnK (x : R) : 0 < x -> exp (Rpower.ln x) = x.
Proof. by move/RltP => x0; exact: exp_ln. Qed.

Definition R_exponential : exponential R_rcfType :=
  Exponential RexD Rex_ge Rex_eq ln_exp RlnK.

(** Cross-entropy and label smoothing over the reals. *)
Definition ce_simplex_etf_minimisers_R :=
  @ce_simplex_etf_minimisers R_rcfType R_exponential.
Definition ce_simplex_etf_attained_R :=
  @ce_simplex_etf_attained R_rcfType R_exponential.
