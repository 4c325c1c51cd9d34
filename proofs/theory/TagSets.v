(** Softmax at logits that are constant on a tag set and on its complement.

    A sample has a nonempty tag set S_i of m_i classes (one class: a label).  With
    T = (1_{S_i})_i, P = I - J/K and logits z_i = a_i P 1_{S_i},
      m_i softmax (z_i) - 1_{S_i} = - gamma_i P 1_{S_i},
      gamma_i = K / (m_i e^{a_i} + K - m_i):
    the gradient of a softmax loss there is again of the form P T diag. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From UFM Require Import Frobenius Semidefinite CollapseIdentity Labels Exponential Softmax.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section TagSets.
Variables (R : rcfType) (K N : nat) (S : 'I_N -> {set 'I_K}).
Hypothesis K0 : (0 < K)%N.
Let KR : 0 < K%:R :> R. Proof. by rewrite ltr0n. Qed.
Let KN : K%:R != 0 :> R. Proof. by rewrite gt_eqF. Qed.

(** The targets: column i is the indicator of S_i. *)
Definition tags : 'M[R]_(K, N) := \matrix_(k, i) (k \in S i)%:R.
(** P T diag(u) *)
Definition scaled_tags (u : 'I_N -> R) : 'M[R]_(K, N) :=
  \matrix_(k, i) (u i * (ctr K *m tags) k i).

(** m_i = |S_i| *)
Definition tag_count i : R := #|S i|%:R.
Local Notation m := tag_count.

Lemma tags_size i : \sum_k tags k i = m i.
Proof.
under eq_bigr do rewrite mxE.
rewrite /tag_count.
by rewrite -natr_sum -sum1_card [in RHS]big_mkcond; congr (_%:R).
Qed.
Lemma ctr_tagsE k i : (ctr K *m tags) k i = (k \in S i)%:R - m i / K%:R.
Proof.
rewrite ctr_def mulmxBl mul1mx mxE [(- _ : 'M_(_, _)) k i]mxE mxE [X in _ - X]mxE.
congr (_ - _); under eq_bigr do rewrite avgE.
by rewrite -mulr_sumr tags_size mulrC.
Qed.
Lemma scaled_tagsE u : scaled_tags u = ctr K *m tags *m diag_mx (\row_i u i).
Proof. by apply/matrixP => k i; rewrite mul_mx_diag !mxE mulrC. Qed.
Lemma ctr_scaled_tags u : ctr K *m scaled_tags u = scaled_tags u.
Proof. by rewrite scaled_tagsE !mulmxA ctrM. Qed.
Lemma scaled_tags_ext u v : u =1 v -> scaled_tags u = scaled_tags v.
Proof. by move=> h; apply/matrixP => k i; rewrite !mxE h. Qed.
Lemma scaled_tags_const a : scaled_tags (fun=> a) = a *: (ctr K *m tags).
Proof. by apply/matrixP => k i; rewrite !mxE. Qed.
Lemma scaled_tags_scale a u : scaled_tags (fun i => a * u i) = a *: scaled_tags u.
Proof. by apply/matrixP => k i; rewrite !mxE mulrA. Qed.

(** A single tag: one-hot targets. *)
Lemma tags_onehot (lab : 'I_N -> 'I_K) : S =1 (fun i => [set lab i]) -> tags = onehot R lab.
Proof. by move=> h; apply/matrixP => k i; rewrite !mxE h inE eq_sym. Qed.

Section Softmax.
Variables (E : exponential R) (a w : 'I_N -> R).
Hypotheses (S0 : forall i, (0 < #|S i|)%N) (wE : w =1 tag_count).
Local Notation e := (ex E).

(** m e^a + K - m, K times the mean of e^{z_k - min z} *)
Definition tag_mass (m' a' : R) : R := m' * e a' + (K%:R - m').
Definition tag_slope (m' a' : R) : R := K%:R / tag_mass m' a'.

Lemma tag_card_le i : m i <= K%:R.
Proof. by rewrite /tag_count ler_nat -[X in (_ <= X)%N](card_ord K) max_card. Qed.
Lemma tag_mass_gt0 i a' : 0 < tag_mass (m i) a'.
Proof.
by rewrite /tag_mass ltr_paddr ?subr_ge0 ?tag_card_le // mulr_gt0 ?ex_gt0 // ltr0n.
Qed.
Lemma tag_slope_gt0 i a' : 0 < tag_slope (m i) a'.
Proof. by rewrite divr_gt0 ?tag_mass_gt0. Qed.

Let zE k i : scaled_tags a k i = a i * (k \in S i)%:R + - (a i * (m i / K%:R)).
Proof. by rewrite mxE ctr_tagsE mulrBr. Qed.

Lemma tag_sum_exp i : sum_exp E (fun k => a i * (k \in S i)%:R) = tag_mass (m i) (a i).
Proof.
rewrite /sum_exp (bigID (mem (S i))) /=; congr (_ + _).
  by under eq_bigr => k -> do rewrite mulr1; rewrite sumr_const -[LHS]mulr_natl.
under eq_bigr => k /negbTE -> do rewrite mulr0 ex0.
have c : (#|S i| + #|[predC S i]| = K)%N by rewrite cardC card_ord.
rewrite sumr_const (eq_card (_ : _ =i [predC S i])) // -[X in X%:R - _]c natrD.
by rewrite /tag_count [_ + #|[predC _]|%:R]addrC addrK.
Qed.

Lemma tag_lse i :
  lse_col E (scaled_tags a) i = ln E (tag_mass (m i) (a i)) - a i * (m i / K%:R).
Proof.
have -> : lse_col E (scaled_tags a) i
    = lse E (fun k => a i * (k \in S i)%:R + - (a i * (m i / K%:R))).
  by rewrite /lse_col /lse; congr (ln E); apply: sum_exp_ext => k; rewrite zE.
by rewrite (lse_shift E _ _ (Ordinal K0)) /lse tag_sum_exp.
Qed.

Lemma tag_softmax k i : m i * softmax_col E (scaled_tags a) k i - (k \in S i)%:R
  = - (tag_slope (m i) (a i) * (ctr K *m tags) k i).
Proof.
have -> : softmax_col E (scaled_tags a) k i
    = softmax E (fun k => a i * (k \in S i)%:R + - (a i * (m i / K%:R))) k.
  by rewrite /softmax_col /softmax zE; congr (_ / _); apply: sum_exp_ext => l; rewrite zE.
rewrite softmax_shift /softmax tag_sum_exp ctr_tagsE /tag_slope.
have := tag_mass_gt0 i (a i); rewrite /tag_mass => D0.
have DN := lt0r_neq0 D0; case: (k \in S i); rewrite /= ?mulr1 ?mulr0 ?ex0.
  by field; rewrite DN KN.
by field; rewrite DN KN.
Qed.

(** The gradient of the pick-all-labels loss at P T diag(a). *)
Lemma tag_grad : softmax_grad E w tags (scaled_tags a)
  = - N%:R^-1 *: scaled_tags (fun i => tag_slope (m i) (a i)).
Proof.
rewrite /softmax_grad scaleNr -scalerN; congr (_ *: _).
apply/matrixP => k i; rewrite [LHS]mxE [RHS]mxE [in RHS]mxE -tag_softmax.
by rewrite wE; congr (_ - _); rewrite mxE.
Qed.

(** Its value. *)
Lemma frob_scaled_tags i :
  \sum_k tags k i * scaled_tags a k i = a i * (m i - m i * (m i / K%:R)).
Proof.
under eq_bigr do rewrite zE mulrDr.
rewrite big_split /= -[X in _ + X]mulr_suml tags_size.
have -> : \sum_k tags k i * (a i * (k \in S i)%:R) = a i * m i.
  rewrite -tags_size mulr_sumr; apply: eq_bigr => k _; rewrite mxE.
  by case: (k \in S i); rewrite ?mul1r ?mulr1 ?mul0r ?mulr0.
by field.
Qed.
Lemma tag_loss : softmax_loss E w tags (scaled_tags a)
  = N%:R^-1 * \sum_i m i * (ln E (tag_mass (m i) (a i)) - a i).
Proof.
rewrite /softmax_loss frobEcol -sumrB; congr (_ * _); apply: eq_bigr => i _.
by rewrite wE tag_lse frob_scaled_tags; ring.
Qed.
End Softmax.
End TagSets.
