(** Softmax losses L(Z) = (1/N) sum_i (w_i lse(z_i) - <t_i, z_i>), for any targets T
    and weights w_i: cross-entropy, label smoothing (w_i = 1) and pick-all-labels
    (w_i the number of tags). *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From UFM Require Import Frobenius Semidefinite CollapseIdentity Labels Exponential.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Softmax.
Variables (R : rcfType) (E : exponential R) (K N : nat).
Variables (w : 'I_N -> R) (T : 'M[R]_(K, N)).
Hypotheses (K0 : (0 < K)%N) (N0 : (0 < N)%N) (w0 : forall i, 0 < w i).
Implicit Types Z : 'M[R]_(K, N).
Let k0 : 'I_K := Ordinal K0.
Let NR : 0 < N%:R :> R. Proof. by rewrite ltr0n. Qed.
Let NN : N%:R != 0 :> R. Proof. by rewrite gt_eqF. Qed.

Definition lse_col Z i : R := lse E (fun k => Z k i).
Definition softmax_col Z k i : R := softmax E (fun k => Z k i) k.

Definition softmax_loss Z : R :=
  N%:R^-1 * ((\sum_i w i * lse_col Z i) - frob T Z).
Definition softmax_grad Z : 'M[R]_(K, N) :=
  N%:R^-1 *: \matrix_(k, i) (w i * softmax_col Z k i - T k i).

Lemma softmax_bregmanE Z Z' :
  bregman softmax_loss Z (softmax_grad Z) Z' =
  N%:R^-1 * \sum_i w i * (lse_col Z' i
    - (lse_col Z i + (\sum_k softmax_col Z k i * (Z' k i - Z k i)))).
Proof.
rewrite /bregman; have -> : frob (softmax_grad Z) (Z' - Z) = N%:R^-1 *
    ((\sum_i w i * (\sum_k softmax_col Z k i * (Z' k i - Z k i))) - frob T (Z' - Z)).
  rewrite frobZl; congr (_ * _); rewrite !frobEcol -sumrB; apply: eq_bigr => i _.
  rewrite mulr_sumr -sumrB; apply: eq_bigr => k _.
  by rewrite !mxE mulrBl mulrA.
rewrite /softmax_loss frobBr.
under [in RHS]eq_bigr do rewrite mulrBr mulrDr.
by rewrite sumrB big_split /=; ring.
Qed.

Let gap Z Z' i : 0 <= w i * (lse_col Z' i
    - (lse_col Z i + \sum_k softmax_col Z k i * (Z' k i - Z k i))).
Proof.
apply: mulr_ge0; first exact: ltW.
rewrite subr_ge0; exact: (lse_tangent E (fun k => Z k i) (fun k => Z' k i) k0).
Qed.

Theorem softmax_subgradient Z : subgradient softmax_loss Z (softmax_grad Z).
Proof.
move=> Z'; rewrite -ler_subr_addl -subr_ge0.
rewrite -/(bregman softmax_loss Z (softmax_grad Z) Z') softmax_bregmanE.
by rewrite mulr_ge0 ?sumr_ge0 // invr_ge0 ltW.
Qed.

(** The Bregman term vanishes exactly when the logits agree up to a constant in
    each column. *)
Theorem softmax_bregman_eq0 Z Z' :
  bregman softmax_loss Z (softmax_grad Z) Z' = 0 <-> ctr K *m Z' = ctr K *m Z.
Proof.
have K1 : K%:R != 0 :> R by rewrite pnatr_eq0 -lt0n.
have avgE' (M : 'M[R]_(K, N)) k i : (avg K *m M) k i = K%:R^-1 * \sum_l M l i.
  by rewrite mxE mulr_sumr; apply: eq_bigr => l _; rewrite avgE.
rewrite softmax_bregmanE; split=> [/eqP|h].
  rewrite mulf_eq0 invr_eq0 (negbTE NN) /= psumr_eq0 // => /allP h.
  apply/eqP; rewrite -subr_eq0 -mulmxBr ctr_def mulmxBl mul1mx; apply/eqP/matrixP => k i.
  move: (h i (mem_index_enum _)) => /=; rewrite mulf_eq0 gt_eqF //= subr_eq0 => /eqP.
  move/(lse_tangent_eq E (fun k => Z k i) (fun k => Z' k i) k0) => eqd.
  have eqD l : (Z' - Z) l i = (Z' - Z) k i by rewrite !mxE; exact: eqd.
  rewrite [LHS]mxE [(- (avg K *m _)) k i]mxE avgE' [RHS]mxE (eq_bigr _ (fun l _ => eqD l)).
  by rewrite sumr_const card_ord -(mulr_natl ((Z' - Z) k i) K) mulKf // subrr.
apply/eqP; rewrite mulf_eq0; apply/orP; right; apply/eqP; apply: big1 => i _.
apply/eqP; rewrite mulf_eq0; apply/orP; right; rewrite subr_eq0; apply/eqP.
apply/(lse_tangent_eq E (fun k => Z k i) (fun k => Z' k i) k0) => k l.
have e : ctr K *m (Z' - Z) = 0 by rewrite mulmxBr h subrr.
have c1 q : Z' q i - Z q i = K%:R^-1 * \sum_l (Z' - Z) l i.
  have := congr1 (fun M : 'M[R]_(K, N) => M q i) e.
  rewrite ctr_def mulmxBl mul1mx mxE [(- (avg K *m _)) q i]mxE avgE' [RHS]mxE => /eqP.
  by rewrite subr_eq0 => /eqP <-; rewrite !mxE.
by rewrite (c1 k) (c1 l).
Qed.
End Softmax.
